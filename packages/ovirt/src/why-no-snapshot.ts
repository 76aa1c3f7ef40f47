import type { Disk, VirtualMachine } from "@ovault/core";

import { diskAttributes } from "./attributes.ts";

/** States of a virtual machine in which the engine makes a snapshot. */
const FROZEN_IN: ReadonlySet<string> = new Set(["up", "down", "paused"]);

/** Why the engine cannot make a snapshot of this disk now, for people; undefined when it can. */
export function whyNoSnapshot(vm: VirtualMachine, disk: Disk): string | undefined {
  if (!FROZEN_IN.has(vm.status)) return `the virtual machine is ${vm.status}; it must be up, down or paused`;
  if (diskAttributes(disk).status === "illegal") return "the engine calls the disk illegal; repair it first";
  return undefined;
}
