import {
  type DiskAssessment,
  type Strategy,
  type RecoveryPoint,
  type VirtualMachine,
  createRunHooks,
} from "@ovault/contract";
import type { PointStore } from "../points/point-store.ts";
import { assessStrategy, type StrategyAssessment } from "./choose-strategy.ts";
import { selectDisks, type SelectedDisks } from "./select-disks.ts";

export interface BackupPlan extends SelectedDisks {
  readonly vm: VirtualMachine;
  readonly strategy: string;
  readonly assessments: readonly DiskAssessment[];
  /** The point that an increment would start from. */
  readonly base: RecoveryPoint | undefined;
  /** The base has lost data, so the backup would read everything. */
  readonly baseHasLosses: boolean;
  /** Points of the same machine id under a manager's name that is not in the configuration. */
  readonly unclaimed: readonly RecoveryPoint[];
}

/** Determines what a backup would do, without changing anything. @throws what the backup would throw */
export async function planBackup(options: {
  readonly vm: VirtualMachine;
  readonly strategy: Strategy;
  /** The strategy's assessment when it was chosen; without it, calls `assess`. */
  readonly assessed?: StrategyAssessment;
  readonly store: PointStore;
  readonly excludeDisks: readonly string[];
  readonly keepBase: boolean;
  readonly signal: AbortSignal;
}): Promise<BackupPlan> {
  const { vm, strategy, store, excludeDisks: excluded, keepBase, signal } = options;
  const { disks: assessments, assessment } =
    options.assessed ?? (await assessStrategy(strategy, vm, { excludeDisks: excluded, keepBase, signal }));
  const selected = await selectDisks({ vm, strategy, excluded, assessment, hooks: createRunHooks(), signal });
  if (selected.disks.length > 0 && assessment.obstacle !== undefined) throw assessment.obstacle;
  const { base, unclaimed } = await store.findBase(vm, signal);
  const losses = base === undefined ? [] : await store.lossesOfBase(base, signal);
  const baseHasLosses = losses.some((lost) => selected.disks.some(({ id }) => id === lost.disk));
  return { vm, strategy: strategy.name, assessments, base, baseHasLosses, unclaimed, ...selected };
}
