import type { Diagnosis, Finding } from "./diagnosis/diagnosis.ts";
import type { RunLedger } from "./ledger.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

/**
 * A connection to a virtualization manager, made by a manager plugin from one entry of `managers:` in ovault.yaml.
 * Core knows only this much of it; a strategy names the `kind` it works with and narrows to that plugin's own type.
 */
export interface Manager {
  /** Name in the configuration. */
  readonly name: string;
  /** Kind of manager, e.g. `ovirt` (also OLVM and RHV). */
  readonly kind: string;
  /** All virtual machines visible to the configured user, with their disks. */
  inventory(signal: AbortSignal): Promise<readonly VirtualMachine[]>;
  /** Only where the manager can be asked to bring a guest's file systems to rest, whatever is done meanwhile. */
  readonly quiescing?: Quiescing;
  /** Checks the connection, the login, and what backups need of the manager. Read-only. Absent: there is nothing to check. */
  diagnose?(signal: AbortSignal): Promise<ManagerDiagnosis>;
  /**
   * Proves rights and data path by what a backup and a restore do: makes something small, writes it, reads it back, removes it.
   * Everything is in the ledger before it is made.
   */
  proveDataPath?(ledger: RunLedger, signal: AbortSignal): Promise<Finding>;
  /** Every snapshot on the manager that a run of ovault made. Absent: no strategy of this kind of manager makes snapshots. */
  taggedSnapshots?(signal: AbortSignal): Promise<readonly TaggedSnapshot[]>;
  /** Ends sessions and connections. Never throws. */
  close(): Promise<void>;
}

/**
 * Both calls reject when the guest refuses or does not answer. A `freeze` that rejects may have taken hold all the same,
 * or may still do so: whoever calls it thaws in any case. Thawing what is not frozen does no harm.
 */
export interface Quiescing {
  freeze(vm: Pick<VirtualMachine, "id">, signal: AbortSignal): Promise<void>;
  thaw(vm: Pick<VirtualMachine, "id">, signal: AbortSignal): Promise<void>;
}

export interface ManagerDiagnosis {
  readonly checks: readonly Diagnosis[];
  /** False when the manager cannot be asked for anything: no further check makes sense. */
  readonly usable: boolean;
}

/** A snapshot that a run of ovault made, of whichever node and repository. */
export interface TaggedSnapshot {
  readonly id: string;
  readonly vm: { readonly id: string; readonly name: string };
  readonly runId: string;
  readonly date: string | undefined;
}
