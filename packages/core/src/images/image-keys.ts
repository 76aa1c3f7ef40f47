import { createHash } from "node:crypto";

import type { ObjectKey } from "@ovault/contract";

const IMAGES = "images/";

/** Prefix of the images of all points in a folder, which the protection gives the virtual machine. */
export function imagesOfFolder(folder: string): string {
  return `${IMAGES}${folder}/`;
}

export function imagesOfPoint(folder: string, pointId: string): string {
  return `${imagesOfFolder(folder)}${pointId}/`;
}

/** Ids of disks come from outside: only their digest becomes part of a path. */
export function imageKey(folder: string, pointId: string, diskId: string): ObjectKey {
  const name = createHash("sha256").update(diskId, "utf8").digest("hex").slice(0, 32);
  return `${imagesOfPoint(folder, pointId)}${name}`;
}

/** Id of the point that an image or a manifest is of. */
export function pointIdIn(key: ObjectKey): string {
  return key.split("/")[2] ?? "";
}
