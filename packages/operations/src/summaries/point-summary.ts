import type { BackupMode, Consistency, RecoveryPoint } from "@ovault/contract";

/** A recovery point as `--json` shows it; docs/cli.md describes it. All sizes in bytes. */
export interface PointSummary {
  readonly id: string;
  readonly vm: { readonly id: string; readonly name: string; readonly manager: string };
  readonly takenAt: string;
  readonly sealedAt: string;
  readonly strategy: string;
  /** Null in points of releases that did not store it. */
  readonly strategyReason: string | null;
  readonly basePoint: string | null;
  readonly consistency: Consistency;
  readonly disks: readonly DiskSummary[];
  readonly skipped: readonly { readonly id: string; readonly alias: string; readonly reason: string }[];
  readonly warnings: readonly string[];
}

export interface DiskSummary {
  readonly id: string;
  readonly alias: string;
  readonly index: number;
  readonly logicalBytes: number;
  readonly mode: BackupMode;
  readonly reason: string;
  readonly readBytes: number;
  readonly storedBytes: number;
}

export function summarizePoint(point: RecoveryPoint): PointSummary {
  const { id, vm, takenAt, sealedAt, strategy, strategyReason = null, basePoint, consistency, warnings } = point;
  return {
    id,
    vm: { id: vm.id, name: vm.name, manager: vm.manager },
    takenAt,
    sealedAt,
    strategy,
    strategyReason,
    basePoint,
    consistency,
    disks: point.disks.map(({ disk, mode, reason, stats }) => ({
      id: disk.id,
      alias: disk.alias,
      index: disk.index,
      logicalBytes: stats.logicalBytes,
      mode,
      reason,
      readBytes: stats.readBytes,
      storedBytes: stats.storedBytes,
    })),
    skipped: point.skipped.map(({ disk, reason }) => ({ id: disk.id, alias: disk.alias, reason })),
    warnings,
  };
}
