import { rm } from "node:fs/promises";

import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case, Contender } from "../case.ts";
import { realFilesImage, sliceOf, smallImage } from "../images.ts";
import { borg, fullBackup, restic } from "../peers.ts";
import { Site, type SiteOptions } from "../site.ts";

const MIB = 2 ** 20;
const DISK_BYTES = 1024 * MIB;
const DISKS = 4;
const SMALL_DISK_BYTES = 16 * MIB;
const MACHINES = 40;

/** Many things in one run. */
export const manyCases: Readonly<Record<string, () => Promise<Case>>> = {
  "four-disks": async () => {
    const image = await realFilesImage();
    return ofSlices("four-disks", await slicesOf(image, DISKS, DISK_BYTES), {
      machinesOf: (sources) => ({ vm: sources.map((source) => ({ source })) }),
      peersOf: () => [],
    });
  },

  "forty-machines": async () => {
    const image = await smallImage();
    return ofSlices("forty-machines", await slicesOf(image, MACHINES, SMALL_DISK_BYTES), {
      machinesOf: (sources) => Object.fromEntries(sources.map((source, index) => [`vm${index}`, [{ source }]])),
      peersOf: (sources) => [fullBackup(borg(), ...sources), fullBackup(restic(), ...sources)],
    });
  },
};

interface Arrangement {
  readonly machinesOf: (sources: readonly string[]) => SiteOptions["machines"];
  readonly peersOf: (sources: readonly string[]) => readonly Contender[];
}

async function ofSlices(name: string, slices: readonly string[], { machinesOf, peersOf }: Arrangement): Promise<Case> {
  const site = await Site.open(name, { machines: machinesOf(slices) });
  const sizes = await Promise.all(slices.map(allocatedBytes));
  return {
    name,
    dataBytes: sizes.reduce((sum, size) => sum + size, 0),
    ours: {
      name: "ovault",
      prepare: () => site.fresh(),
      command: () => site.command("backup", "vm*"),
      output: site.repository,
      tidy: () => site.clear(),
    },
    others: peersOf(slices),
    close: async () => {
      await site.remove();
      await Promise.all(slices.map((slice) => rm(slice)));
    },
  };
}

async function slicesOf(image: string, count: number, bytes: number): Promise<readonly string[]> {
  const slices: string[] = [];
  for (let index = 0; index < count; index += 1) slices.push(await sliceOf(image, index, bytes));
  return slices;
}
