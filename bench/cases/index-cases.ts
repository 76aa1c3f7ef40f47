import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Case } from "../case.ts";
import { indexRepository } from "../index-repository.ts";
import { measure } from "../measure.ts";
import { workDirectory } from "../work-directory.ts";

const worker = fileURLToPath(new URL("../workers/open-index.ts", import.meta.url));

/** Opens repositories with indexes of several sizes in TiB: from the cache, and from index objects. */
export const indexCases: Readonly<Record<string, () => Promise<Case>>> = {
  "index-1-tib": () => indexCase(1),
  "index-5-tib": () => indexCase(5),
  "index-20-tib": () => indexCase(20),
};

async function indexCase(tib: number): Promise<Case> {
  await indexRepository(tib);
  const cache = join(workDirectory, `index-${tib}-tib.cache`);
  const parameters = [worker, String(tib), cache];
  await measure(openIndex(...parameters));
  return {
    name: `index-${tib}-tib`,
    ours: { name: "from cache", command: () => openIndex(...parameters) },
    others: [
      { name: "from cache, heap of 64 MiB", command: () => openIndex("--max-old-space-size=64", ...parameters) },
      { name: "from index objects", command: () => openIndex(worker, String(tib)) },
    ],
    close: () => rm(cache, { recursive: true, force: true }),
  };
}

function openIndex(...rest: readonly string[]): readonly string[] {
  return [process.execPath, "--expose-gc", ...rest];
}
