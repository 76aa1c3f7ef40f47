import {
  hasCode,
  pointKey,
  selectPoints,
  type KeptPoint,
  type RecoveryPoint,
  type Repository,
  type RetentionRules,
} from "@ovault/core";

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
 * The points that no rule keeps, and that the store does not hold any more. Manifests that do not prove themselves are left alone: nobody knows what they hold.
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
  const holds = await holdsOn(repository, selection.forget, signal);
  const held = [...holds].map(([point, until]) => ({ point, reasons: [`held until ${until.toISOString()}`] }));
  const forget = selection.forget.filter((point) => !holds.has(point));
  const warnings = damaged.map(({ key }) => `${key} is damaged and left alone; see \`ovault verify --all\``);
  return { forget, keep: [...selection.keep, ...held], warnings };
}

/** Until when the store holds points against deletion. Those that may go are not in it. */
async function holdsOn(
  { store: { retention }, protection }: Repository,
  points: readonly RecoveryPoint[],
  signal: AbortSignal,
): Promise<ReadonlyMap<RecoveryPoint, Date>> {
  const holds = new Map<RecoveryPoint, Date>();
  if (retention === undefined) return holds;
  for (const point of points) {
    try {
      const until = await retention.heldUntil(pointKey(protection.folderOf(point.vm.id), point.id), { signal });
      if (until !== undefined && until.getTime() > Date.now()) holds.set(point, until);
    } catch (error) {
      if (!hasCode(error, "E_OBJECT_NOT_FOUND")) throw error; // forgotten by somebody else: nothing holds it
    }
  }
  return holds;
}
