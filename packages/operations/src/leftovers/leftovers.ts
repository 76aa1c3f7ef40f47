import { messageOf, type LedgerEntry, type Leftover, type Manager } from "@ovault/contract";

import type { OperationContext } from "../operation-context.ts";
import type { Installation } from "../installation/installation.ts";

/** What dead runs of this node left on one manager, and what its removal would do. */
export async function findLeftovers(
  installation: Installation,
  manager: Manager,
  signal: AbortSignal,
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
      return own.length === 0 ? [] : owner.leftovers(own, signal);
    }),
  );
  return found.flat();
}

export interface RemovedLeftover {
  readonly entry: LedgerEntry;
  /** Why the removal failed; the leftover stays in the ledger. */
  readonly error: unknown;
}

/** Removes leftovers one by one; continues after a failure. */
export async function removeLeftovers(
  installation: Installation,
  leftovers: readonly Leftover[],
  signal: AbortSignal,
): Promise<readonly RemovedLeftover[]> {
  const ledger = await installation.ledger();
  const removed: RemovedLeftover[] = [];
  for (const leftover of leftovers) {
    try {
      if (!leftover.gone) await leftover.remove(signal);
      await ledger.resolve(leftover.entry);
      removed.push({ entry: leftover.entry, error: undefined });
    } catch (error) {
      signal.throwIfAborted();
      removed.push({ entry: leftover.entry, error });
    }
  }
  return removed;
}

/** Removes and reports the leftovers of earlier runs, before a run. `ovault doctor` handles what cannot be removed. */
export async function clearLeftovers(
  installation: Installation,
  manager: Manager,
  { reporter, signal }: Pick<OperationContext, "reporter" | "signal">,
): Promise<void> {
  const leftovers = await findLeftovers(installation, manager, signal);
  for (const { entry, error } of await removeLeftovers(installation, leftovers, signal)) {
    if (error === undefined) reporter.note(`removed what an earlier run left: ${entry.title}`);
    else reporter.note(`warning: could not remove ${entry.title}: ${messageOf(error)} (see ovault doctor)`);
  }
}
