import { machineKey, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";
import {
  selectBySources,
  type KeptPoint,
  type PointStore,
  type RetentionRules,
  type RetentionSource,
} from "@ovault/core";

import type { OperationContext } from "../operation-context.ts";
import { formatTime } from "../text/format.ts";
import { findPoint, pointsOf, type MeantMachines } from "../select/find-point.ts";
import { pointsInDoubt } from "../select/points-in-doubt.ts";

/** The points to delete and to keep. */
export interface ForgetPlan {
  readonly forget: readonly RecoveryPoint[];
  /** Only for plans by rules. */
  readonly keep: readonly KeptPoint<RecoveryPoint>[];
  /** Machines that the rules skip, because the order of their points is not certain. */
  readonly inDoubt: readonly VirtualMachine[];
  readonly warnings: readonly string[];
}

/**
 * Plans to forget the named points. The newest of a machine may be among them: a person named it.
 * @throws NotFoundError
 */
export async function planByName(
  store: PointStore,
  names: readonly string[],
  meant: MeantMachines,
  context: Pick<OperationContext, "signal" | "reporter">,
): Promise<ForgetPlan> {
  const named = new Map<string, RecoveryPoint>();
  for (const name of names) {
    const point = await findPoint(store, name, context, meant);
    named.set(point.id, point);
  }
  const forget = [...named.values()];
  const warnings: string[] = [];
  for (const vm of machinesOf(forget)) {
    const { points } = await store.points.listOf(vm, context.signal);
    const newest = points.at(-1);
    if (newest === undefined || !named.has(newest.id)) continue;
    const next = points.every(({ id }) => named.has(id))
      ? "will be full"
      : "starts from an older point, and may have to read everything";
    warnings.push(`${newest.id} is the newest point of ${newest.vm.name}: the next backup ${next}`);
  }
  return { forget, keep: [], inDoubt: [], warnings };
}

/** Returns the rules of each machine, by its `machineKey`. A machine without rules keeps all its points. */
export type RulesOfMachines = (newest: readonly VirtualMachine[]) => ReadonlyMap<string, readonly RetentionSource[]>;

/** The same rules for all machines. */
export function rulesForAll(rules: RetentionRules): RulesOfMachines {
  const sources = [{ policy: undefined, rules, timeZone: undefined }];
  return (machines) => new Map(machines.map((vm) => [machineKey(vm), sources]));
}

/**
 * Plans to forget the points that no rule keeps. Leaves manifests that fail verification alone: their content is
 * unknown.
 * @throws NotFoundError for a virtual machine without points; UsageError for invalid rules or time zone
 */
export async function planByRules(
  store: PointStore,
  options: {
    readonly rules: RulesOfMachines;
    /** Names or ids; empty: all. */
    readonly vms: readonly string[];
    readonly manager: string | undefined;
    readonly timeZone: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<ForgetPlan> {
  const { rules, vms, manager, timeZone, signal } = options;
  const { points, damaged } = await store.points.list(signal);
  const sources = rules(machinesOf(points));
  const ofMachines = vms.length === 0 ? points : [...new Set(vms.flatMap((vm) => pointsOf(points, vm, { manager })))];
  const wanted = ofMachines.filter(({ vm }) => sources.has(machineKey(vm)) && (manager ?? vm.manager) === vm.manager);
  const now = new Date();
  const selection = selectBySources(wanted, sources, { timeZone, now });
  const doubts = pointsInDoubt(wanted, now);
  const warnings = [
    ...damaged.map(({ key }) => `${key} is damaged and left alone; see \`ovault verify --all\``),
    ...doubts.map(({ vm, points: doubtful }) => inDoubtWarning(vm, doubtful)),
  ];
  return { ...selection, inDoubt: doubts.map(({ vm }) => vm), warnings };
}

/** Each machine as its newest point shows it. Expects the oldest points first. */
function machinesOf(points: readonly RecoveryPoint[]): readonly VirtualMachine[] {
  return [...new Map(points.map(({ vm }) => [machineKey(vm), vm])).values()];
}

function inDoubtWarning({ name, id, manager }: VirtualMachine, points: readonly RecoveryPoint[]): string {
  const dated = points.map((point) => `${point.id} (dated ${formatTime(point.takenAt)})`).join(", ");
  return (
    `nothing of ${name} (${id} of ${manager}) is forgotten by rules, for it is not certain which of its points is the ` +
    `newest: the date of ${dated} is in the future or before that of its base. Once the clocks are right, forget those ` +
    "by their ids that you do not need"
  );
}
