import type { Disk, DiskAssessment, VirtualMachine } from "@ovault/contract";
import { whyUnreadable, whyUntouchable } from "@ovault/ovirt";

import { rankHosts, type Ranking } from "./hosts/rank-hosts.ts";

/** What SSH can do for one disk, and where. Checks first what must not be touched, then what is impossible. */
export function assessDisk(vm: VirtualMachine, disk: Disk, ranking: Ranking): DiskAssessment {
  const untouchable = whyUntouchable(vm, disk);
  if (untouchable !== undefined) return { diskId: disk.id, verdict: "skip", reason: untouchable };
  const unable = whyUnreadable(disk);
  const choices = unable ?? rankHosts(disk, vm, ranking);
  if (typeof choices === "string") return { diskId: disk.id, verdict: "impossible", reason: choices };
  const [best] = choices;
  return {
    diskId: disk.id,
    verdict: "incremental",
    reason: "the layers on a snapshot that is kept tell what changed",
    keeps: "a snapshot",
    ...(best !== undefined && { servedBy: { host: best.host.name, reason: best.reason } }),
  };
}
