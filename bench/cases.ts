import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { destinationCases } from "./destination-cases.ts";
import { deviceCase } from "./device-case.ts";
import { engineCases } from "./engine-case.ts";
import { changedImage, cleanDisk, realFilesImage, warm, workDirectory } from "./images.ts";
import { imageioCases } from "./imageio-case.ts";
import { indexRepository } from "./index-repository.ts";
import { measure } from "./measure.ts";
import { policyCase } from "./policy-case.ts";
import { qcow2Case } from "./qcow2-case.ts";
import { serveImage } from "./serve-image.ts";

/** One contender's command; `prepare` runs before each round and is not timed. */
export interface Contender {
  readonly name: string;
  readonly prepare: () => Promise<void>;
  /** Asked for after `prepare`. */
  readonly command: () => readonly string[];
}

/** What is measured side by side, round by round. */
export interface Case {
  readonly name: string;
  readonly ours: Contender;
  readonly others: readonly Contender[];
  readonly close: () => Promise<void>;
}

const worker = fileURLToPath(new URL("take-backup.ts", import.meta.url));
const indexWorker = fileURLToPath(new URL("open-index.ts", import.meta.url));
const repository = join(workDirectory, "repository");
const qcow2 = join(workDirectory, "qemu-img.qcow2");

const ovault = (source: string, changes?: string): readonly string[] => [
  process.execPath,
  worker,
  source,
  repository,
  ...(changes === undefined ? [] : [changes]),
];

const fresh = async (): Promise<void> => {
  await rm(repository, { recursive: true, force: true });
  await rm(qcow2, { force: true });
};

function qemuImg(source: string, format: string): Contender {
  return {
    name: "qemu-img",
    prepare: fresh,
    command: () => ["qemu-img", "convert", "-f", format, "-O", "qcow2", source, qcow2],
  };
}

const nothing = async (): Promise<void> => undefined;

function openIndex(...rest: readonly string[]): readonly string[] {
  return [process.execPath, "--expose-gc", ...rest];
}

/** Opens a repository with the index of so many TiB: from its cache, and from index objects. */
async function indexCase(tib: number): Promise<Case> {
  await indexRepository(tib);
  const cache = join(workDirectory, `index-${tib}-tib.cache`);
  const parameters = [indexWorker, String(tib), cache];
  await measure(openIndex(...parameters));
  return {
    name: `index-${tib}-tib`,
    ours: { name: "from cache", prepare: nothing, command: () => openIndex(...parameters) },
    others: [
      {
        name: "from cache, heap of 64 MiB",
        prepare: nothing,
        command: () => openIndex("--max-old-space-size=64", ...parameters),
      },
      { name: "from index objects", prepare: nothing, command: () => openIndex(indexWorker, String(tib)) },
    ],
    close: () => rm(cache, { recursive: true, force: true }),
  };
}

/** The cases by name; each builds its images when it is opened. */
export const cases: Readonly<Record<string, () => Promise<Case>>> = {
  async "full-raw"() {
    const image = await realFilesImage();
    await warm(image);
    const ours = { name: "ovault", prepare: fresh, command: () => ovault(image) };
    return { name: "full-raw", ours, others: [qemuImg(image, "raw")], close: nothing };
  },

  async "full-nbd"() {
    const image = await realFilesImage();
    await warm(image);
    const { uri, close } = await serveImage(image, "raw");
    const ours = { name: "ovault", prepare: fresh, command: () => ovault(uri) };
    return { name: "full-nbd", ours, others: [qemuImg(uri, "raw")], close };
  },

  async "increment-1-percent"() {
    const image = await realFilesImage();
    const changed = await changedImage(image, 0.01);
    const changes = join(workDirectory, "changes.json");
    await writeFile(changes, JSON.stringify(changed.ranges));
    await fresh();
    const { uri, close } = await serveImage(image, "raw");
    await measure(ovault(uri));
    await close();
    const kept = `${repository}.full`;
    await rm(kept, { recursive: true, force: true });
    await measure(["cp", "-a", repository, kept]);
    await warm(changed.path);
    const second = await serveImage(changed.path, "raw");
    const prepare = async (): Promise<void> => {
      await fresh();
      await measure(["cp", "-a", kept, repository]);
    };
    const ours = { name: "ovault", prepare, command: () => ovault(second.uri, changes) };
    return { name: "increment-1-percent", ours, others: [], close: second.close };
  },

  async "clean-6-tib"() {
    const { uri, close } = await serveImage(await cleanDisk(), "qcow2");
    return {
      name: "clean-6-tib",
      ours: { name: "ovault", prepare: fresh, command: () => ovault(uri) },
      others: [],
      close,
    };
  },

  "index-1-tib": () => indexCase(1),
  "index-5-tib": () => indexCase(5),
  "index-20-tib": () => indexCase(20),
  "disk-attachment": deviceCase,
  "policy-20-vms": policyCase,
  "qcow2-reader": () => qcow2Case("qcow2-reader", false),
  "qcow2-reader-compressed": () => qcow2Case("qcow2-reader-compressed", true),
  ...destinationCases,
  ...engineCases,
  ...imageioCases,
};
