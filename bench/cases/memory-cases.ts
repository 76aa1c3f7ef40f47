import { cp } from "node:fs/promises";

import type { Case, Contender } from "../case.ts";
import { fullAt } from "../full-at.ts";
import { smallImage } from "../images.ts";
import { indexRepository } from "../index-repository.ts";
import { serveUniqueBlocks } from "../serve-unique-blocks.ts";
import { Site } from "../site.ts";

const MACHINE = "bench";
const GIB = 2 ** 30;

/** The factors of the peak RSS: the length of a run, and the amount of data in the repository. */
export const memoryCases: Readonly<Record<string, () => Promise<Case>>> = {
  async "long-run"() {
    const [long, short] = [await longRun("64 GiB", 64 * GIB), await longRun("8 GiB", 8 * GIB)];
    return {
      name: "long-run",
      ours: long.contender,
      others: [short.contender],
      close: async () => {
        await long.close();
        await short.close();
      },
    };
  },
  "into-1-tib": () => intoLarge(1),
  "into-5-tib": () => intoLarge(5),
  "into-20-tib": () => intoLarge(20),
};

async function longRun(name: string, bytes: number): Promise<{ contender: Contender; close: () => Promise<void> }> {
  const served = await serveUniqueBlocks(bytes);
  const site = await Site.open(`long-run-${name.replace(" ", "-")}`, {
    machines: { [MACHINE]: [{ source: served.uri }] },
  });
  return {
    contender: fullAt(site, MACHINE, name),
    close: async () => {
      await served.close();
      await site.remove();
    },
  };
}

/** A new disk of 2 GiB into a repository with `tib` TiB of unique data, with the index cached on disk. */
async function intoLarge(tib: number): Promise<Case> {
  const site = await Site.open(`into-${tib}-tib`, { machines: { [MACHINE]: [{ source: await smallImage() }] } });
  await cp(await indexRepository(tib), site.repository, { recursive: true });
  await site.run("points");
  await site.keep();
  return {
    name: `into-${tib}-tib`,
    ours: {
      name: "ovault",
      prepare: () => site.goBack(),
      command: () => site.command("backup", MACHINE),
      output: site.repository,
    },
    others: [],
    close: () => site.remove(),
  };
}
