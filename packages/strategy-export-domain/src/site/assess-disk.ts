import { OvaultError, type Disk, type DiskAssessment, type VirtualMachine } from "@ovault/contract";
import { whyUnreadable, whyUntouchable } from "@ovault/ovirt";

import type { ExportSite } from "./export-sites.ts";

/** What an export can do for one disk. Checks first what must not be touched, then what is impossible. */
export function assessDisk(vm: VirtualMachine, disk: Disk, site: ExportSite | OvaultError): DiskAssessment {
  const say = (verdict: DiskAssessment["verdict"], reason: string): DiskAssessment => ({
    diskId: disk.id,
    verdict,
    reason,
  });
  const untouchable = whyUntouchable(vm, disk);
  if (untouchable !== undefined) return say("skip", untouchable);
  const unreadable = whyUnreadable(disk);
  if (unreadable !== undefined) return say("impossible", unreadable);
  if (site instanceof OvaultError) {
    const { message, hint } = site;
    return { ...say("impossible", message), ...(hint !== undefined && { remedy: hint }) };
  }
  return say("full", "a clone of a snapshot is exported, which holds whole disks, also what lies on a template");
}
