import type { VmDiskSummary } from "@ovault/operations";

/** Why a disk is taken as it is, and where its data comes from. */
export function whyText({ reason, servedBy }: Pick<VmDiskSummary, "reason" | "servedBy">): string {
  return servedBy == null ? reason : `${reason}; from host ${servedBy.host}: ${servedBy.reason}`;
}
