import { randomUUID } from "node:crypto";

import { qemuFormat, type VolumeRecord } from "./disk-tree.ts";
import { HypervisorError } from "./errors.ts";
import type { ImportDisk } from "./hypervisor.ts";
import { copyFileSparsely, inspectChain, qemuImg } from "./qemu-img.ts";

/**
 * Copies an image and everything below it to the paths of `pathOf`, and returns the volumes from the base up. Converts
 * nothing: only the names of backing files change.
 */
export async function importVolumes(
  { source, volumeId: topVolumeId, baseVolumeId }: Pick<ImportDisk, "source" | "volumeId" | "baseVolumeId">,
  pathOf: (volumeId: string) => string,
): Promise<readonly VolumeRecord[]> {
  const volumes: VolumeRecord[] = [];
  const images = (await inspectChain(source)).toReversed();
  for (const [index, image] of images.entries()) {
    const isTop = index === images.length - 1;
    const volume: VolumeRecord = {
      volumeId: isTop ? topVolumeId : index === 0 && baseVolumeId !== undefined ? baseVolumeId : randomUUID(),
      format: volumeFormat(image.format, image.filename),
    };
    const path = pathOf(volume.volumeId);
    await copyFileSparsely(image.filename, path);
    const below = volumes.at(-1);
    if (below !== undefined) {
      await qemuImg("rebase", "-u", "-f", "qcow2", "-b", below.volumeId, "-F", qemuFormat(below), path);
    }
    volumes.push(volume);
  }
  return volumes;
}

function volumeFormat(format: string, path: string): VolumeRecord["format"] {
  if (format === "qcow2") return "cow";
  if (format === "raw") return "raw";
  throw new HypervisorError(`${path} is a ${format} image; oVirt knows qcow2 and raw`, {
    context: { path, format },
    hint: "Convert it first: qemu-img convert -O qcow2 IMAGE NEW.",
  });
}
