import { rm } from "node:fs/promises";

import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case, Contender } from "../case.ts";
import { fullAt } from "../full-at.ts";
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
  async "four-disks"() {
    const slices = await slicesOf(await realFilesImage(), DISKS, DISK_BYTES);
    const machines = { vm: slices.map((source) => ({ source })) };
    return ofSlices({ name: "four-disks", slices, machines, others: [] });
  },

  async "forty-machines"() {
    const slices = await slicesOf(await smallImage(), MACHINES, SMALL_DISK_BYTES);
    const machines = Object.fromEntries(slices.map((source, index) => [`vm${index}`, [{ source }]]));
    const others = [borg(), restic()].map((peer) => fullBackup(peer, ...slices));
    return ofSlices({ name: "forty-machines", slices, machines, others });
  },
};

interface Slices {
  readonly name: string;
  /** Removed at the end. */
  readonly slices: readonly string[];
  readonly machines: SiteOptions["machines"];
  readonly others: readonly Contender[];
}

async function ofSlices({ name, slices, machines, others }: Slices): Promise<Case> {
  const site = await Site.open(name, { machines });
  const sizes = await Promise.all(slices.map(allocatedBytes));
  return {
    name,
    dataBytes: sizes.reduce((sum, size) => sum + size, 0),
    ours: fullAt(site, "vm*", "ovault"),
    others,
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
