import type { Diagnosis, Finding } from "./diagnosis/diagnosis.ts";
import type { RunLedger } from "./ledger.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

/**
 * A connection to a virtualization manager, made by a manager plugin from one entry of `managers:` in ovault.yaml.
 * Core sees this interface only; a strategy names the `kind` it works with and narrows to that plugin's own type.
 */
export interface Manager {
  /** Name in the configuration. */
  readonly name: string;
  /** Kind of manager, e.g. `ovirt` (also OLVM and RHV). */
  readonly kind: string;
  /** All virtual machines visible to the configured user, with their disks. */
  inventory(signal: AbortSignal): Promise<readonly VirtualMachine[]>;
  /** Present if the manager can freeze and thaw guests on request, independent of a backup. */
  readonly quiescing?: Quiescing;
  /** Checks the connection, the login, and what backups need of the manager. Read-only. Absent: nothing to check. */
  diagnose?(signal: AbortSignal): Promise<ManagerDiagnosis>;
  /**
   * Proves permissions and data path as a backup and a restore use them: makes something small, writes it, reads it
   * back and removes it. Writes a ledger entry before it makes anything.
   */
  proveDataPath?(ledger: RunLedger, signal: AbortSignal): Promise<Finding>;
  /**
   * Every snapshot on the manager that a run of ovault made. Absent: no strategy of this kind of manager makes
   * snapshots.
   */
  taggedSnapshots?(signal: AbortSignal): Promise<readonly TaggedSnapshot[]>;
  /** Ends sessions and connections. Never throws. */
  close(): Promise<void>;
}

/**
 * Both calls reject when the guest refuses or does not answer. A `freeze` that rejects may have taken effect, or may
 * still do so: the caller must thaw in any case. Thawing a guest that is not frozen does no harm.
 */
export interface Quiescing {
  freeze(vm: Pick<VirtualMachine, "id">, signal: AbortSignal): Promise<void>;
  thaw(vm: Pick<VirtualMachine, "id">, signal: AbortSignal): Promise<void>;
}

export interface ManagerDiagnosis {
  readonly checks: readonly Diagnosis[];
  /** False when the manager answers no request: further checks are pointless. */
  readonly usable: boolean;
}

/** A snapshot that a run of ovault made, on any node and for any repository. */
export interface TaggedSnapshot {
  readonly id: string;
  readonly vm: { readonly id: string; readonly name: string };
  readonly runId: string;
  readonly date: string | undefined;
}
