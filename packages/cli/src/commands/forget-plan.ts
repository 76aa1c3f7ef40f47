import { selectPoints, type KeptPoint, type RecoveryPoint, type Repository, type RetentionRules } from "@ovault/core";

import { findPoint, pointsOf } from "../select/find-point.ts";

/** What goes and what stays. */
export interface ForgetPlan {
  readonly forget: readonly RecoveryPoint[];
  /** By rules only. */
  readonly keep: readonly KeptPoint<RecoveryPoint>[];
  readonly warnings: readonly string[];
}

/**
 * The points that are named. The newest of a machine may be among them: a person asked for it.
 * @throws NotFoundError
 */
export async function planByName(
  repository: Repository,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ForgetPlan> {
  const named = new Map<string, RecoveryPoint>();
  for (const name of names) {
    const point = await findPoint(repository, name, signal);
    named.set(point.id, point);
  }
  const forget = [...named.values()];
  const warnings: string[] = [];
  for (const vmId of new Set(forget.map(({ vm }) => vm.id))) {
    const { points } = await repository.points.list(signal, vmId);
    const newest = points.at(-1);
    if (newest === undefined || !named.has(newest.id)) continue;
    const next = points.every(({ id }) => named.has(id))
      ? "will be full"
      : "starts from an older point, and may have to read everything";
    warnings.push(`${newest.id} is the newest point of ${newest.vm.name}: the next backup ${next}`);
  }
  return { forget, keep: [], warnings };
}

/**
 * The points that no rule keeps. Manifests that do not prove themselves are left alone: nobody knows what they hold.
 * @throws NotFoundError for a virtual machine without points; UsageError for rules or a time zone that make no sense.
 */
export async function planByRules(
  repository: Repository,
  options: {
    readonly rules: RetentionRules;
    /** Names or ids; all when empty. */
    readonly vms: readonly string[];
    readonly timeZone: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<ForgetPlan> {
  const { rules, vms, timeZone, signal } = options;
  const { points, damaged } = await repository.points.list(signal);
  const wanted = vms.length === 0 ? points : [...new Set(vms.flatMap((vm) => pointsOf(points, vm)))];
  const selection = selectPoints(wanted, rules, { timeZone });
  const warnings = damaged.map(({ key }) => `${key} is damaged and left alone; see \`ovault verify --all\``);
  return { ...selection, warnings };
}
