import {
  type DiskAssessment,
  type Strategy,
  type RecoveryPoint,
  type VirtualMachine,
  createRunHooks,
} from "@ovault/contract";
import { lossesOfBase } from "../losses/point-losses.ts";
import type { Repository } from "../repository/repository.ts";
import { assessStrategy, type StrategyAssessment } from "./choose-strategy.ts";
import { selectDisks, type SelectedDisks } from "./select-disks.ts";

export interface BackupPlan extends SelectedDisks {
  readonly vm: VirtualMachine;
  readonly strategy: string;
  readonly assessments: readonly DiskAssessment[];
  /** The point an increment would start from. */
  readonly base: RecoveryPoint | undefined;
  /** The base has lost data, so that everything would be read. */
  readonly baseHasLosses: boolean;
  /** Points of the same machine id whose manager has a name that the configuration does not know. */
  readonly unclaimed: readonly RecoveryPoint[];
}

/** What a backup would do, found out without changing anything. @throws what the backup would throw */
export async function planBackup(options: {
  readonly vm: VirtualMachine;
  readonly strategy: Strategy;
  /** What the strategy said when it was chosen; without it the strategy is asked. */
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
  const { points, unclaimed } = await repository.points.listOf(vm, signal);
  const base = points.at(-1);
  const losses = base === undefined ? [] : await lossesOfBase(repository, base, signal);
  const baseHasLosses = losses.some((lost) => selected.disks.some(({ id }) => id === lost.disk));
  return { vm, strategy: strategy.name, assessments, base, baseHasLosses, unclaimed, ...selected };
}
