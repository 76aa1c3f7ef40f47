import {
  finding,
  machineKey,
  plural,
  type Checklist,
  type LedgerEntry,
  type Manager,
  type RecoveryPoint,
  type TaggedSnapshot,
} from "@ovault/contract";
import { orderInDoubt, SupersededBase } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import type { DoctorContext } from "./doctor-context.ts";

const HINT =
  "They grow with what the guests write. What a newer point has superseded goes with `ovault doctor --fix`. The others may " +
  "belong to another repository or node that backs the machine up: where there is none, delete them in the engine.";

/**
 * Finds snapshots of runs that neither the ledger nor a last point accounts for. Removes only what the points of our
 * own repositories prove to be superseded.
 */
export async function checkSnapshots(
  installation: Installation,
  manager: Manager,
  list: Checklist,
  { signal, reporter, approve }: DoctorContext,
): Promise<void> {
  const taggedSnapshots = manager.taggedSnapshots?.bind(manager);
  if (taggedSnapshots === undefined) return;
  await list.run(`${manager.name}: snapshots`, async () => {
    // In this order: a run that ends meanwhile closes its entry only after its point exists.
    const tagged = await taggedSnapshots(signal);
    if (tagged.length === 0) return finding.ok("none of ours");
    const { active, abandoned, elsewhere } = await (await installation.ledger()).report();
    const owed = tagged.filter((snapshot) => ![...active, ...abandoned, ...elsewhere].some(isAbout(snapshot)));
    const points = await pointsOfAll(installation, signal);
    if (points === undefined)
      return finding.skip(`${tagged.length}; not every destination can be read to tell whose they are`);
    const stray = owed.filter(({ runId }) => !points.last.has(runId));
    if (stray.length === 0) return finding.ok(`${tagged.length}, all accounted for`);
    const strategies = await installation.strategies(manager);
    const superseded = stray.flatMap((snapshot) => {
      // A manager that took over the storage of another has its snapshots too: the other's points prove nothing here.
      const own = points.older.filter(({ vm }) => vm.manager === manager.name);
      const point = own.find((candidate) => candidate.runId === snapshot.runId);
      const strategy = strategies.find(({ name }) => name === point?.strategy);
      if (point === undefined || strategy?.keeps?.(point).some(isAbout(snapshot)) !== true) return [];
      return [{ snapshot, base: new SupersededBase(point, strategy) }];
    });
    const proven = new Set(superseded.map(({ snapshot }) => snapshot));
    for (const snapshot of stray) reporter.note(`  ${titleOf(snapshot)}: ${whatOf(proven.has(snapshot))}`);
    const titles = superseded.map(({ snapshot }) => titleOf(snapshot));
    const what = plural(superseded.length, "superseded snapshot");
    if (superseded.length === 0 || !(await approve({ what, titles }))) {
      return finding.warn(stray.map(titleOf).join(", "), HINT);
    }
    const ledger = await installation.ledger();
    for (const { base } of superseded) {
      await base.record(ledger);
      await base.remove(signal);
    }
    const left = stray.filter((snapshot) => !proven.has(snapshot));
    if (left.length > 0) return finding.warn(left.map(titleOf).join(", "), HINT);
    return finding.ok(`removed: ${titles.join(", ")}`);
  });
}

function isAbout({ id, runId }: TaggedSnapshot): (entry: Pick<LedgerEntry, "detail"> & { runId?: string }) => boolean {
  return (entry) => entry.runId === runId || entry.detail["snapshotId"] === id;
}

interface KnownPoints {
  /** Runs whose point is the newest of its machine in some destination: the next increment may start there. */
  readonly last: ReadonlySet<string>;
  readonly older: readonly RecoveryPoint[];
}

/** Undefined when a destination cannot be read: its unseen points could be bases. */
async function pointsOfAll(installation: Installation, signal: AbortSignal): Promise<KnownPoints | undefined> {
  const last = new Set<string>();
  const older: RecoveryPoint[] = [];
  for (const name of installation.configuration.destinations.keys()) {
    try {
      const { points, damaged } = await (await installation.points(name)).points.list(signal);
      if (damaged.length > 0) return undefined;
      const byMachine = Map.groupBy(points, ({ vm }) => machineKey(vm));
      for (const own of byMachine.values()) {
        // While the order is in doubt, an increment may start from any of them.
        const superseded = orderInDoubt(own, new Date()) === undefined ? own.length - 1 : 0;
        // No increment starts from a copy.
        for (const { runId } of own.slice(superseded).filter(isTakenHere)) last.add(runId);
        older.push(...own.slice(0, superseded).filter(isTakenHere));
      }
    } catch {
      // The check of the destination reports it.
      signal.throwIfAborted();
      return undefined;
    }
  }
  return { last, older };
}

function isTakenHere({ copiedFrom }: RecoveryPoint): boolean {
  return copiedFrom === undefined;
}

function titleOf({ vm, id, runId, date }: TaggedSnapshot): string {
  return `${vm.name}: snapshot ${id} of run ${runId}${date === undefined ? "" : `, made ${date}`}`;
}

function whatOf(isSuperseded: boolean): string {
  return isSuperseded ? "remove it: a newer point has superseded it" : "nothing: no repository here knows it";
}
