import type { Disk, VirtualMachine } from "@ovault/contract";

import { diskAttributes, isHostedEngine } from "../model/attributes.ts";

/** Why no strategy may take this disk, for people; undefined when it may. */
export function whyUntouchable(vm: VirtualMachine, disk: Disk): string | undefined {
  const { storageType, contentType, shareable } = diskAttributes(disk);
  if (isHostedEngine(vm)) return "the engine itself runs in this virtual machine";
  if (storageType !== "image") return `a ${storageType} disk is no image of the engine's`;
  if (contentType !== "data") return `it holds ${contentType}, which is no guest data`;
  if (shareable) return "a shareable disk may be written by other machines at the same time";
  return undefined;
}
