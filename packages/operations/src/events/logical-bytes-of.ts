import type { RecoveryPoint } from "@ovault/contract";

/** Size of all disks of a point. */
export function logicalBytesOf({ disks }: RecoveryPoint): number {
  return disks.reduce((sum, { stats }) => sum + stats.logicalBytes, 0);
}
