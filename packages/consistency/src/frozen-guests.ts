import { randomUUID } from "node:crypto";

import {
  type LedgerEntry,
  type LedgerHandle,
  type Leftover,
  type LeftoverOwner,
  type Manager,
  ManagerError,
  type VirtualMachine,
} from "@ovault/contract";
import type { Ledger } from "@ovault/core";

/** The ledger lists frozen guests under this name, in place of a strategy's. */
const LEDGER_NAME = "consistency";

/** A ledger entry of a frozen guest. */
export interface FrozenEntry {
  /** Call when the guest is thawed. */
  close(): Promise<void>;
  /** Call when the guest may still be frozen: `frozenGuests` finds it. */
  leave(): Promise<void>;
}

/** Records that a guest is about to be frozen, so that it is thawed even if this process dies. */
export async function recordFrozen(ledger: Ledger, vm: VirtualMachine): Promise<FrozenEntry> {
  const run = await ledger.forRun({ runId: randomUUID(), manager: vm.manager, strategy: LEDGER_NAME });
  let handle: LedgerHandle;
  try {
    handle = await run.open({
      kind: "freeze",
      title: `frozen file systems of ${vm.name}`,
      detail: { vmId: vm.id, vmName: vm.name },
    });
  } catch (error) {
    await run.end();
    throw error;
  }
  return {
    close: async () => {
      await handle.close();
      await run.end();
    },
    leave: () => run.end(),
  };
}

/** Finds the guests of a manager that dead runs may have left frozen. */
export function frozenGuests(manager: Manager): LeftoverOwner {
  return {
    name: LEDGER_NAME,
    leftovers: async (entries, signal) => {
      const machines = await manager.inventory(signal);
      return entries.map((entry) => frozenGuest(manager, entry, machines));
    },
  };
}

function frozenGuest(manager: Manager, entry: LedgerEntry, machines: readonly VirtualMachine[]): Leftover {
  const vm = machines.find(({ id }) => id === entry.detail["vmId"]);
  // A machine that is down has nothing frozen when it starts again.
  const gone = vm === undefined || vm.status === "down";
  return {
    entry,
    gone,
    action: gone ? `nothing left of ${entry.title}` : `thaw ${vm.name}`,
    remove: async (signal) => {
      if (gone) return;
      if (manager.quiescing === undefined) throw new ManagerError(`${manager.name} cannot thaw guests when asked`);
      await manager.quiescing.thaw(vm, signal);
    },
  };
}
