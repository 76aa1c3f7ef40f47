import type { Disk } from "@ovault/contract";

import { shortSerial } from "./device-names.ts";
import { AttachmentError } from "./errors.ts";

/** @throws AttachmentError when two disks could have devices of the same name */
export function assertDistinctSerials(disks: readonly Disk[]): void {
  for (const [serial, [one, other]] of Map.groupBy(disks, ({ id }) => shortSerial(id))) {
    if (one === undefined || other === undefined) continue;
    throw new AttachmentError(`the ids of disks ${one.alias} and ${other.alias} begin alike (${serial})`, {
      context: { disk: one.id, other: other.id },
      hint: "Names of devices may show no more of an id than that. Exclude one of the two.",
    });
  }
}
