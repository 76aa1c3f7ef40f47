import { rm } from "node:fs/promises";
import { join } from "node:path";

import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case } from "../case.ts";
import { realFilesImage, warm } from "../images.ts";
import { measure } from "../measure.ts";
import { qemuImgConvert } from "../peers.ts";
import { Site } from "../site.ts";
import { workDirectory } from "../work-directory.ts";

const MACHINE = "bench";

/** A disk to a file, beside a copy of an image of the same content. */
export const restoreCases: Readonly<Record<string, () => Promise<Case>>> = {
  "restore-raw": () => restoreCase("restore-raw", "raw"),
  "restore-qcow2": () => restoreCase("restore-qcow2", "qcow2"),
};

async function restoreCase(name: string, format: "raw" | "qcow2"): Promise<Case> {
  const image = await realFilesImage();
  const site = await Site.open(name, { machines: { [MACHINE]: [{ source: image }] } });
  await site.fresh();
  await site.run("backup", MACHINE);
  const qcow2 = join(workDirectory, "restore-source.qcow2");
  await measure(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, qcow2]);
  await warm(qcow2);
  const output = join(site.directory, `restored.${format}`);
  const restore = ["restore", `${MACHINE}@latest`, "--disk", "0", "--to-file", output, "--format", format];
  return {
    name,
    dataBytes: await allocatedBytes(image),
    ours: {
      name: "ovault",
      command: () => site.command(...restore),
      output,
      tidy: () => rm(output),
    },
    others: [qemuImgConvert(qcow2, { from: "qcow2", to: format })],
    close: async () => {
      await site.remove();
      await rm(qcow2);
    },
  };
}
