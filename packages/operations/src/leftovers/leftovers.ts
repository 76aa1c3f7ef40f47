import {
  messageOf,
  unlessAborted,
  type LedgerEntry,
  type Leftover,
  type Manager,
  type VirtualMachine,
} from "@ovault/contract";

import type { OperationContext } from "../operation-context.ts";
import type { Installation } from "../installation/installation.ts";

/** What dead runs of this node left on one manager, and what its removal would do. */
export async function findLeftovers(
  installation: Pick<Installation, "ledger" | "managerNames" | "leftoverOwners">,
  manager: Manager,
  signal: AbortSignal,
  onWait?: (what: string) => void,
): Promise<readonly Leftover[]> {
  const ledger = await installation.ledger();
  const entries = (await ledger.abandoned()).filter(
    (entry) => installation.managerNames.presentNameOf(entry.manager) === manager.name,
  );
  if (entries.length === 0) return [];
  const owners = await installation.leftoverOwners(manager);
  const found = await Promise.all(
    owners.map((owner) => {
      const own = entries.filter((entry) => entry.strategy === owner.name);
      return own.length === 0 ? [] : owner.leftovers(own, signal, onWait);
    }),
  );
  return found.flat();
}

export interface RemovedLeftover {
  readonly entry: LedgerEntry;
  /** Why the removal failed; the leftover stays in the ledger. */
  readonly error: unknown;
}

/**
 * Removes leftovers one by one; continues after a failure.
 * @param until ends the wait for those that are left when it aborts; they stay in the ledger
 */
export async function removeLeftovers(
  installation: Pick<Installation, "ledger">,
  leftovers: readonly Leftover[],
  signal: AbortSignal,
  until?: AbortSignal,
): Promise<readonly RemovedLeftover[]> {
  const ledger = await installation.ledger();
  const limit = until === undefined ? signal : AbortSignal.any([signal, until]);
  const removed: RemovedLeftover[] = [];
  for (const leftover of leftovers) {
    try {
      if (!leftover.gone) {
        limit.throwIfAborted();
        await unlessAborted(leftover.remove(limit), limit);
      }
      await ledger.resolve(leftover.entry);
      removed.push({ entry: leftover.entry, error: undefined });
    } catch (error) {
      signal.throwIfAborted();
      removed.push({ entry: leftover.entry, error });
    }
  }
  return removed;
}

/** How long a run tries to remove what earlier runs left of other machines, all together. */
const PATIENCE_MS = 15_000;

export interface ClearingOptions {
  /** Called only if there are leftovers. Without it, the run waits for all of them. */
  readonly machinesOfRun?: () => Promise<readonly VirtualMachine[]>;
  /** For leftovers of other machines, all together. */
  readonly patienceMs?: number;
}

/**
 * Removes and reports the leftovers of earlier runs, before a run. It waits only for those of the machines of this run;
 * `ovault doctor`, or the next run, handles what is left. Answers whether there were any.
 */
export async function clearLeftovers(
  installation: Pick<Installation, "ledger" | "managerNames" | "leftoverOwners">,
  manager: Manager,
  { reporter, signal }: Pick<OperationContext, "reporter" | "signal">,
  { machinesOfRun, patienceMs = PATIENCE_MS }: ClearingOptions = {},
): Promise<boolean> {
  const onWait = (what: string): void => reporter.note(`wait, to remove what an earlier run left: ${what}`);
  const leftovers = await findLeftovers(installation, manager, signal, onWait);
  if (leftovers.length === 0) return false;
  const machines = await machinesOfRun?.();
  const isOurs = ({ entry }: Leftover): boolean => machines === undefined || machines.some((vm) => concerns(entry, vm));
  const ours = await removeLeftovers(installation, leftovers.filter(isOurs), signal);
  const others = leftovers.filter((one) => !isOurs(one));
  const until = AbortSignal.timeout(patienceMs);
  const left: string[] = [];
  for (const { entry, error } of [...ours, ...(await removeLeftovers(installation, others, signal, until))]) {
    if (error === undefined) reporter.note(`removed what an earlier run left: ${entry.title}`);
    else if (error === until.reason) left.push(entry.title);
    else reporter.note(`warning: could not remove ${entry.title}: ${messageOf(error)} (see ovault doctor)`);
  }
  if (left.length > 0) {
    reporter.note(`warning: not waiting for the removal of ${left.join(", ")}: not of this run (see ovault doctor)`);
  }
  return true;
}

/** True if the entry is of the machine or one of its disks. */
function concerns({ detail }: LedgerEntry, { id, disks }: VirtualMachine): boolean {
  return detail["vmId"] === id || disks.some((disk) => disk.id === detail["diskId"]);
}
