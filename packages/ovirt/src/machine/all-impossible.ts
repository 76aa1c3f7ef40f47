import type { Assessment, VirtualMachine } from "@ovault/contract";

import { whyUntouchable } from "./why-untouchable.ts";

/** The assessment of a machine whose disks a strategy can take on no engine like this. @param reason for people */
export function allImpossible(vm: VirtualMachine, reason: string): Assessment {
  const disks = vm.disks.map((disk) => {
    const untouchable = whyUntouchable(vm, disk);
    if (untouchable !== undefined) return { diskId: disk.id, verdict: "skip" as const, reason: untouchable };
    return { diskId: disk.id, verdict: "impossible" as const, reason };
  });
  return { disks };
}
