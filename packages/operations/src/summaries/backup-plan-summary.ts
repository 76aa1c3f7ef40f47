import type { BackupMode, RecoveryPoint, Strategy } from "@ovault/contract";
import type { BackupPlan, StrategyChoice } from "@ovault/core";

import type { ErrorSummary } from "../text/error-summary.ts";
import { considered, type ConsideredStrategy } from "./considered-strategy.ts";
import { summarizeMachine, type MachineSummary } from "./machine-summary.ts";

/** What a backup would do with one machine, as `--json` shows it: a plan or an error. */
export type BackupPlanSummary = PlannedBackup | UnplannedBackup;

export interface PlannedBackup {
  readonly vm: MachineSummary;
  readonly strategy: string;
  readonly strategyReason: string;
  /** The other strategies, the best first. */
  readonly rejected: readonly ConsideredStrategy[];
  readonly basePoint: string | null;
  readonly disks: readonly PlannedDisk[];
  readonly error: null;
}

/** Of a machine whose backup would fail. */
export interface UnplannedBackup {
  readonly vm: MachineSummary;
  readonly disks: readonly [];
  readonly error: ErrorSummary;
}

export interface PlannedDisk {
  readonly id: string;
  readonly alias: string;
  readonly logicalBytes: number;
  /** `compared`: read in full, stored where it differs. */
  readonly action: BackupMode | "skip";
  readonly reason: string;
}

/** @param full trust no change tracking */
export function summarizePlan(plan: BackupPlan, choice: StrategyChoice, full: boolean): PlannedBackup {
  const taken = plan.disks.map((disk) => ({
    id: disk.id,
    alias: disk.alias,
    logicalBytes: disk.logicalBytes,
    ...planDisk(plan, choice, disk.id, full),
  }));
  const skipped = plan.skipped.map(({ disk, reason }) => ({
    id: disk.id,
    alias: disk.alias,
    logicalBytes: disk.logicalBytes,
    action: "skip" as const,
    reason,
  }));
  return {
    vm: summarizeMachine(plan.vm),
    strategy: plan.strategy,
    strategyReason: choice.reason,
    rejected: choice.rejected.map((other) => considered(other, plan.vm)),
    basePoint: plan.base?.id ?? null,
    disks: [...taken, ...skipped],
    error: null,
  };
}

/**
 * As far as known beforehand: only the backup itself shows whether what the base left is still valid. Whether the next
 * backup can be incremental does not count here, so the assessment does as the strategy made it.
 */
function planDisk(
  { base, baseHasLosses }: BackupPlan,
  { strategy, assessment }: StrategyChoice,
  diskId: string,
  full: boolean,
): Pick<PlannedDisk, "action" | "reason"> {
  if (full) return { action: "full", reason: "asked for" };
  if (base === undefined) return { action: "full", reason: "there is no point to start from" };
  if (baseHasLosses) return { action: "full", reason: `${base.id} has lost data` };
  const record = base.disks.find(({ disk }) => disk.id === diskId);
  if (record === undefined) return { action: "full", reason: `not in ${base.id}` };
  const { verdict, reason = "" } = assessment.disks.find((candidate) => candidate.diskId === diskId) ?? {};
  if (verdict !== "incremental") return { action: "compared", reason };
  if (!canContinue(strategy, base)) {
    return { action: "compared", reason: `${base.id} was taken by ${base.strategy}` };
  }
  if (record.base === undefined) return { action: "compared", reason: `${base.id} left nothing to start from` };
  return { action: "incremental", reason };
}

/** Strategies that read snapshots continue from each other's points. */
function canContinue(strategy: Strategy, base: RecoveryPoint): boolean {
  return base.strategy === strategy.name || (strategy.keeps?.(base) ?? []).length > 0;
}
