import type { Disk, DiskAssessment, VirtualMachine } from "@ovault/contract";
import { whyUnreadable, whyUntouchable } from "@ovault/ovirt";

import { rankHosts, type Ranking } from "./hosts/rank-hosts.ts";

const NO_LOGIN = "no credentials for hosts: ovault.yaml has no login for SSH transfer";

/**
 * What SSH can do for one disk, and where. Checks first what must not be touched, then what is impossible.
 * @param ranking undefined: there is no login for any host
 * @param remedy how to give hosts a login, where none has one
 */
export function assessDisk(
  vm: VirtualMachine,
  disk: Disk,
  ranking: Ranking | undefined,
  remedy?: string,
): DiskAssessment {
  const untouchable = whyUntouchable(vm, disk);
  if (untouchable !== undefined) return { diskId: disk.id, verdict: "skip", reason: untouchable };
  const unreadable = whyUnreadable(disk);
  if (unreadable !== undefined) return { diskId: disk.id, verdict: "impossible", reason: unreadable };
  const choices = ranking === undefined ? NO_LOGIN : rankHosts(disk, vm, ranking);
  if (typeof choices === "string") {
    return { diskId: disk.id, verdict: "impossible", reason: choices, ...(remedy !== undefined && { remedy }) };
  }
  const [best] = choices;
  return {
    diskId: disk.id,
    verdict: "incremental",
    reason: "the layers on a snapshot that is kept tell what changed",
    keeps: "a snapshot",
    ...(best !== undefined && { servedBy: { host: best.host.name, reason: best.reason } }),
  };
}
