import {
  selectBySources,
  type KeptPoint,
  type RecoveryPoint,
  type Repository,
  type RetentionRules,
  type RetentionSource,
  type VirtualMachine,
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

/** What says which points of a machine are kept. Machines that it does not name keep all of theirs. */
export type RulesOfMachines = (newest: readonly VirtualMachine[]) => ReadonlyMap<string, readonly RetentionSource[]>;

/** The same rules for all machines. */
export function rulesForAll(rules: RetentionRules): RulesOfMachines {
  const sources = [{ policy: undefined, rules, timeZone: undefined }];
  return (machines) => new Map(machines.map(({ id }) => [id, sources]));
}

/**
 * The points that no rule keeps. Manifests that do not prove themselves are left alone: nobody knows what they hold.
 * @throws NotFoundError for a virtual machine without points; UsageError for rules or a time zone that make no sense.
 */
export async function planByRules(
  repository: Repository,
  options: {
    readonly rules: RulesOfMachines;
    /** Names or ids; all when empty. */
    readonly vms: readonly string[];
    readonly timeZone: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<ForgetPlan> {
  const { rules, vms, timeZone, signal } = options;
  const { points, damaged } = await repository.points.list(signal);
  const sources = rules(newestMachines(points));
  const ofMachines = vms.length === 0 ? points : [...new Set(vms.flatMap((vm) => pointsOf(points, vm)))];
  const wanted = ofMachines.filter(({ vm }) => sources.has(vm.id));
  const selection = selectBySources(wanted, sources, { timeZone });
  const warnings = damaged.map(({ key }) => `${key} is damaged and left alone; see \`ovault verify --all\``);
  return { ...selection, warnings };
}

/** Each machine as its newest point shows it. The oldest points come first. */
function newestMachines(points: readonly RecoveryPoint[]): readonly VirtualMachine[] {
  return [...new Map(points.map(({ vm }) => [vm.id, vm])).values()];
}
