import { rm } from "node:fs/promises";

import type { Case } from "../case.ts";
import { changedImage } from "../changed-image.ts";
import { smallImage } from "../images.ts";
import { Site } from "../site.ts";

const MACHINE = "bench";

/** Random 64 KiB writes since the last backup, by change tracking; beside a full backup of the same disk. */
export const incrementCases: Readonly<Record<string, () => Promise<Case>>> = {
  "increment-0.1-percent": () => incrementCase("increment-0.1-percent", 0.001),
  "increment-1-percent": () => incrementCase("increment-1-percent", 0.01),
  "increment-10-percent": () => incrementCase("increment-10-percent", 0.1),
};

async function incrementCase(name: string, fraction: number): Promise<Case> {
  const image = await smallImage();
  const changed = await changedImage(image, fraction);
  const site = await Site.open(name, { machines: { [MACHINE]: [{ source: image }] } });
  await site.fresh();
  await site.run("backup", MACHINE);
  await site.configure({ machines: { [MACHINE]: [{ source: changed.path, changes: changed.changes }] } });
  await site.keep();
  const command = (): readonly string[] => site.command("backup", MACHINE);
  const output = site.repository;
  return {
    name,
    ours: {
      name: "ovault",
      prepare: () => site.goBack(),
      command,
      output,
      figures: {
        "MiB written by the guest": changed.writtenBytes / 2 ** 20,
        "MiB in blocks that it wrote to": changed.touchedBytes / 2 ** 20,
      },
    },
    others: [{ name: "ovault, full", prepare: () => site.fresh(), command, output }],
    close: async () => {
      await site.remove();
      await Promise.all([changed.path, changed.changes].map((path) => rm(path)));
    },
  };
}
