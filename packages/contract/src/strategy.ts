import type { Diagnosis } from "./diagnosis/diagnosis.ts";
import type { DiskSource } from "./disk-source.ts";
import type { DiskTarget } from "./disk-target.ts";
import type { OvaultError } from "./errors/ovault-error.ts";
import type { NewLedgerEntry, RunLedger } from "./ledger.ts";
import type { LeftoverOwner } from "./leftover.ts";
import type { Manager } from "./manager.ts";
import type { BaseMarker, Consistency, DiskRecord, PointDocument, RecoveryPoint } from "./recovery-point.ts";
import type { Disk, VirtualMachine } from "./virtual-machine.ts";
import type { RunHooks } from "./run-hooks.ts";

/** What a strategy can do for one disk, and why; shown by `ovault vms` and `doctor`, used by the chooser. */
export interface DiskAssessment {
  readonly diskId: string;
  /** `skip`: this strategy must not touch the disk (shareable, LUN, hosted engine). `impossible`: it cannot. */
  readonly verdict: "incremental" | "full" | "skip" | "impossible";
  readonly reason: string;
  /** With `impossible`: the next step that makes it possible, for people, where the strategy knows one. */
  readonly remedy?: string;
  /**
   * With `incremental`: what must stay on the manager for it, at a price: `a snapshot`. Without
   * `BackupRequest.keepBase` nothing stays, and the disk counts as `full`.
   */
  readonly keeps?: string;
  /** The host that data would come from, where the strategy chooses one now, and why this one. */
  readonly servedBy?: { readonly host: string; readonly reason: string };
}

export interface Assessment {
  readonly disks: readonly DiskAssessment[];
  /** The error with which a run that reads disks would fail immediately, given the machine's listed state. */
  readonly obstacle?: OvaultError | undefined;
}

/** What a run passes to the strategy. */
export interface RunContext {
  readonly runId: string;
  readonly ledger: RunLedger;
  readonly hooks: RunHooks;
  readonly signal: AbortSignal;
}

/**
 * Whether to freeze the guest's file systems at the instant. `require`: no point without. `try`: if freezing fails, the
 * point is as after a power cut, and says so. `never`: no freeze.
 */
export type Quiesce = "require" | "try" | "never";

export interface BackupRequest {
  readonly vm: VirtualMachine;
  /**
   * The disks to take, without excluded ones. Empty for a machine that has none to take: the instant then has its
   * documents, no disks, and makes nothing on the manager.
   */
  readonly disks: readonly Disk[];
  /** The last sealed point of this virtual machine; undefined: take every disk in full. */
  readonly base: RecoveryPoint | undefined;
  /** The user asked for a full backup: trust no change tracking. A new chain may start here. */
  readonly full: boolean;
  readonly quiesce: Quiesce;
  /**
   * Whether to keep what the next increment starts from where that costs something on the manager: a snapshot that
   * stays. Where it costs nothing (a checkpoint), a strategy may keep it in any case.
   */
  readonly keepBase: boolean;
  /**
   * What `awaitTurn` resolved to, for a strategy that has it.
   * @since 0.2.0
   */
  readonly turn?: Turn | undefined;
}

/** The right of one backup to use what only so many may use at a time. */
export interface Turn {
  /** May be called twice: by the strategy as soon as the backup can do without, and by core at its end. */
  release(): Promise<void>;
}

/**
 * A virtual machine held at one instant: what the guest writes from now on is not in it. Core calls `open`, `confirm`,
 * `close` and `retire` in this order, and always `close`, whatever failed before it.
 */
export interface HeldInstant {
  /** Configuration documents to keep with the point, e.g. the OVF. */
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  /**
   * Opens the disks, in the order of the request. Core calls it at most once, after the guest runs again and the
   * commands after the snapshot have ended, so opening may be slow. After a rejection, `close` removes what was opened.
   */
  open(signal: AbortSignal): Promise<readonly DiskSource[]>;
  /**
   * After all data was read, while the instant is held: checks that the manager still holds it. Throws when the manager
   * has ended the backup, or does not confirm that it is alive: core then seals nothing. Absent: nothing to check.
   */
  confirm?(signal: AbortSignal): Promise<void>;
  /**
   * Ends everything that holds the instant on the manager, in the strict order the manager needs, and waits until it is
   * gone. `complete`: all data was read; the result says per disk where the next increment can start. `failed`: drops
   * whatever would have become a base. Must work, as far as possible, before `open`, after an `open` that rejected, and
   * when the manager has ended everything; it has deadlines of its own and ignores the run's signal. A `failed` may
   * follow a `complete`: the point could not be sealed.
   */
  close(outcome: "complete" | "failed"): Promise<ClosedInstant>;
  /** After the seal: best-effort removal of what older points needed, e.g. old checkpoints. Never throws. */
  retire(signal: AbortSignal): Promise<void>;
}

export interface ClosedInstant {
  /** By disk id; a disk without an entry cannot be the base of an increment. */
  readonly bases: ReadonlyMap<string, BaseMarker>;
}

export interface RestoreRequest {
  readonly point: RecoveryPoint;
  /** The disks of the point to restore; empty for a machine without disks. */
  readonly disks: readonly DiskRecord[];
  readonly name: string;
  readonly cluster?: string;
  readonly storageDomain?: string;
  /** Names of networks (or `network/profile`) in the point → in the target. */
  readonly networks: ReadonlyMap<string, string>;
  readonly mac: "keep" | "new";
  readonly start: boolean;
  /**
   * Where the strategy leaves machines for an administrator to import: import it as well. Has no effect on others.
   * @since 0.2.0
   */
  readonly import?: boolean;
}

/** The steps of a restore, determined without changing anything. */
export interface RestorePlan {
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
}

export interface RestoreSession {
  readonly disks: readonly DiskTarget[];
  /** After all targets are flushed: makes the virtual machine, attaches the disks, checks, starts it if requested. */
  commit(): Promise<RestoredVirtualMachine>;
  /** Removes everything this session made. */
  abort(): Promise<void>;
}

export interface RestoredVirtualMachine {
  readonly id: string;
  readonly name: string;
  readonly disks: readonly { readonly from: string; readonly id: string }[];
  /**
   * Where it lies until an administrator imports it, for people; absent: the manager has it.
   * @since 0.2.0
   */
  readonly awaitsImport?: string;
}

/** A way for data to leave and enter the virtualization platform. One instance serves one manager. */
export interface Strategy extends LeftoverOwner {
  assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment>;
  /**
   * Waits until this backup may use what only so many may use at a time, and checks that there is room for it. Makes
   * nothing on the manager. Core calls it before anything that concerns the guest (commands, freeze) and before
   * `takeInstant`, with the same request, and releases the turn however the backup ends. Absent: nothing to wait for.
   * @since 0.2.0
   */
  awaitTurn?(request: BackupRequest, context: RunContext): Promise<Turn>;
  /**
   * Takes the instant. Resolves as soon as the manager holds it (the snapshot exists, the backup is ready) and opens
   * nothing: the guest may be frozen until then. Rejects with nothing left on the manager that could be removed.
   *
   * @throws QuiesceError when `quiesce` is `require` and the guest could not be frozen
   */
  takeInstant(request: BackupRequest, context: RunContext): Promise<HeldInstant>;
  planRestore(request: RestoreRequest, signal: AbortSignal): Promise<RestorePlan>;
  openRestore(request: RestoreRequest, context: RunContext): Promise<RestoreSession>;
  /**
   * Resources that a point of this strategy keeps on the manager, in removal order. Core calls it when a different
   * strategy takes the next point, and passes the entries to `leftovers` after the seal. The point comes from a store
   * and may name anything.
   */
  keeps?(point: RecoveryPoint): readonly NewLedgerEntry[];
  /**
   * Checks this strategy's own prerequisites. Read-only.
   * @param onWait receives, for people, what it waits for and why
   */
  diagnose?(signal: AbortSignal, onWait?: (what: string) => void): Promise<readonly Diagnosis[]>;
}

/** What core passes to a strategy plugin's `create`. */
export interface StrategyHost {
  readonly manager: Manager;
  /** Names of the other managers of this type in ovault.yaml: the options of a strategy hold for all of them. */
  readonly otherManagers?: readonly string[];
  /**
   * Of this node, absolute: tells its installation from others. May be missing as yet.
   * @since 0.2.0
   */
  readonly stateDirectory?: string;
}
