import {
  type DiskAssessment,
  type Strategy,
  type RecoveryPoint,
  type VirtualMachine,
  createRunHooks,
} from "@ovault/contract";
import { lossesOfBase } from "../repository/losses/point-losses.ts";
import type { Repository } from "../repository/repository.ts";
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
  readonly repository: Repository;
  readonly excludeDisks: readonly string[];
  readonly keepBase: boolean;
  readonly signal: AbortSignal;
}): Promise<BackupPlan> {
  const { vm, strategy, repository, excludeDisks: excluded, keepBase, signal } = options;
  const { disks: assessments, assessment } =
    options.assessed ?? (await assessStrategy(strategy, vm, { excludeDisks: excluded, keepBase, signal }));
  const selected = await selectDisks({ vm, strategy, excluded, assessment, hooks: createRunHooks(), signal });
  if (selected.disks.length > 0 && assessment.obstacle !== undefined) throw assessment.obstacle;
  const { points, unclaimed } = await repository.points.listOf(vm, signal);
  const base = points.at(-1);
  const losses = base === undefined ? [] : await lossesOfBase(repository, base, signal);
  const baseHasLosses = losses.some((lost) => selected.disks.some(({ id }) => id === lost.disk));
  return { vm, strategy: strategy.name, assessments, base, baseHasLosses, unclaimed, ...selected };
}
