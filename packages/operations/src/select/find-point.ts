import {
  didYouMean,
  machineKey,
  NotFoundError,
  UsageError,
  type MachineIdentity,
  type RecoveryPoint,
} from "@ovault/contract";
import { type PointStore } from "@ovault/core";

import type { OperationContext } from "../operation-context.ts";
import { pointsInDoubt } from "./points-in-doubt.ts";

const LATEST = "@latest";

/** The machines that a name may refer to. */
export interface MeantMachines {
  /** Only those of this manager. */
  readonly manager?: string | undefined;
  /** If several match, that of this manager. */
  readonly rather?: string | undefined;
}

/**
 * A recovery point by id, by a unique prefix of its id, or as `VM@latest`. Warns when it is in doubt which is the
 * latest.
 * @throws NotFoundError; UsageError when VM matches several machines
 */
export async function findPoint(
  store: PointStore,
  wanted: string,
  { signal, reporter }: Pick<OperationContext, "signal" | "reporter">,
  meant: MeantMachines = {},
): Promise<RecoveryPoint> {
  const { manager } = meant;
  if (wanted.endsWith(LATEST)) {
    const { points } = await store.points.list(signal);
    const own = pointsOf(points, wanted.slice(0, -LATEST.length), meant);
    const latest = own.at(-1);
    if (latest === undefined) throw new NotFoundError(`there is no recovery point ${wanted}`);
    for (const { points: doubtful } of pointsInDoubt(own, new Date())) {
      reporter.warn(
        `${latest.id} is taken for ${wanted}, but it is not certain that it is the newest: see the dates of ` +
          `${doubtful.map(({ id }) => id).join(", ")} in \`ovault points\``,
      );
    }
    return latest;
  }
  const point = await store.points.find(wanted, signal);
  if (manager === undefined || point.vm.manager === manager) return point;
  throw new NotFoundError(`recovery point ${point.id} is of manager ${point.vm.manager}, not of ${manager}`, {
    context: { point: point.id, manager },
  });
}

/**
 * The points of one virtual machine, by its name or id in the points, oldest first: the machine itself may be gone.
 * @throws NotFoundError when no machine of a point matches; UsageError when several do
 */
export function pointsOf(
  points: readonly RecoveryPoint[],
  vm: string,
  { manager, rather }: MeantMachines = {},
): readonly RecoveryPoint[] {
  const known = manager === undefined ? points : points.filter((point) => point.vm.manager === manager);
  const all = machinesNamed(known, vm);
  const preferred = all.filter((machine) => machine.manager === rather);
  const machines = preferred.length > 0 ? preferred : all;
  const [machine, ...others] = machines;
  if (machine === undefined) throw noSuchMachine(points, known, vm, manager);
  if (others.length > 0) throw severalMachines(machines, vm);
  return known.filter((point) => machineKey(point.vm) === machineKey(machine));
}

/** The machines that have a point with this name or id, each as its newest such point shows it. */
export function machinesNamed(points: readonly RecoveryPoint[], vm: string): readonly RecoveryPoint["vm"][] {
  const meant = points.filter((point) => point.vm.id === vm || point.vm.name === vm);
  return [...new Map(meant.map((point) => [machineKey(point.vm), point.vm])).values()];
}

function severalMachines(machines: readonly MachineIdentity[], vm: string): UsageError {
  const described = machines.map(({ manager, id }) => `${id} of ${manager}`).join(", ");
  return new UsageError(`"${vm}" means ${machines.length} virtual machines: ${described}`, {
    context: { vm, machines: described },
    hint: (field) =>
      new Set(machines.map(({ manager }) => manager)).size === machines.length
        ? `Say which one with ${field("manager")}.`
        : `Use the id instead of the name; where several managers have the id, ${field("manager")} too.`,
  });
}

function noSuchMachine(
  points: readonly RecoveryPoint[],
  known: readonly RecoveryPoint[],
  vm: string,
  manager: string | undefined,
): NotFoundError {
  const names = new Set(known.map((point) => point.vm.name));
  const managers = new Set(points.map((point) => point.vm.manager));
  const ofManager = manager === undefined ? "" : ` of manager ${manager}`;
  return new NotFoundError(`there is no recovery point of "${vm}"${ofManager}${didYouMean(vm, names)}`, {
    context: { vm, ...(manager !== undefined && { manager }) },
    hint:
      points.length === 0
        ? "The repository holds no points yet."
        : names.size === 0
          ? `There are points of machines of: ${[...managers].join(", ")}.`
          : `There are points of: ${[...names].join(", ")}.`,
  });
}
