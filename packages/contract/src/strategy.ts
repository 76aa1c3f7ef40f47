import type { Diagnosis } from "./diagnosis/diagnosis.ts";
import type { DiskSource } from "./disk-source.ts";
import type { DiskTarget } from "./disk-target.ts";
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
  /**
   * With `incremental`: what must stay on the manager for it, at a price: `a snapshot`. Where nobody plans increments nothing
   * stays (`BackupRequest.keepBase`), and the disk counts as `full`.
   */
  readonly keeps?: string;
}

export interface Assessment {
  readonly disks: readonly DiskAssessment[];
}

/** What every call into a strategy needs from the run. */
export interface RunContext {
  readonly runId: string;
  readonly ledger: RunLedger;
  readonly hooks: RunHooks;
  readonly signal: AbortSignal;
}

/**
 * Whether the guest's file systems are brought to rest at the instant. `require`: no point without. `try`: where it cannot
 * be done, the point is taken as after a power cut, and says so. `never`: the guest is not asked.
 */
export type Quiesce = "require" | "try" | "never";

export interface BackupRequest {
  readonly vm: VirtualMachine;
  /**
   * The disks to take, already without excluded ones. Empty for a machine that has none to take: the instant then has its
   * documents, no disks, and makes nothing on the manager.
   */
  readonly disks: readonly Disk[];
  /** The last sealed point of this virtual machine, or undefined: everything is full. */
  readonly base: RecoveryPoint | undefined;
  /** The user asked for a full: no change tracking is to be trusted, but a new chain may start here. */
  readonly full: boolean;
  readonly quiesce: Quiesce;
  /**
   * Whether the next increment shall find here what it starts from, where that costs something on the manager: a snapshot
   * that stays. Where it costs nothing (a checkpoint), a strategy may keep it in any case.
   */
  readonly keepBase: boolean;
}

/**
 * A virtual machine held at one instant: what the guest writes from now on is not in it. Core calls `open`, `confirm`,
 * `close` and `retire` in this order, and `close` in every case, whatever came before it.
 */
export interface HeldInstant {
  /** Configuration documents to keep with the point, e.g. the OVF. */
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  /**
   * Opens the disks, in the order of the request. Called once at most, when the guest is running again and the commands after
   * the snapshot have ended, so that opening may take its time. After a rejection, `close` removes what was opened.
   */
  open(signal: AbortSignal): Promise<readonly DiskSource[]>;
  /**
   * After all data was read, while the instant is still held: makes sure that the manager stands by it. Throws when
   * the manager has ended the backup, or does not say that it lives: nothing is sealed then. Absent: there is nothing to ask.
   */
  confirm?(signal: AbortSignal): Promise<void>;
  /**
   * Ends everything that holds the instant on the manager, in the strict order the manager needs, and waits until it is
   * gone. `complete`: all data was read; the answer tells per disk where the next increment can start. `failed`: drops
   * whatever would have become a base. Must work, as far as possible, before `open`, after an `open` that
   * rejected, and when the manager has ended everything; it has deadlines of its own and does not listen to the run's signal. A `failed` may follow a `complete`: the point could not
   * be sealed.
   */
  close(outcome: "complete" | "failed"): Promise<ClosedInstant>;
  /** After the point is sealed: best-effort removal of what older points needed, e.g. old checkpoints. Never throws. */
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
}

/** What a restore would do, step by step, found out without changing anything. */
export interface RestorePlan {
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
}

export interface RestoreSession {
  readonly disks: readonly DiskTarget[];
  /** After all data is written and flushed: makes the virtual machine, attaches the disks, checks, starts it if asked. */
  commit(): Promise<RestoredVirtualMachine>;
  /** Removes everything this session made. */
  abort(): Promise<void>;
}

export interface RestoredVirtualMachine {
  readonly id: string;
  readonly name: string;
  readonly disks: readonly { readonly from: string; readonly id: string }[];
}

/** A way for data to leave and enter the virtualization platform. One instance serves one manager. */
export interface Strategy extends LeftoverOwner {
  assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment>;
  /**
   * Takes the instant. Resolves as soon as the manager holds it (the snapshot exists, the backup is ready) and opens nothing:
   * the guest may be frozen until then. Rejects with nothing left on the manager that could be removed.
   *
   * @throws QuiesceError when rest is required and was not reached
   */
  takeInstant(request: BackupRequest, context: RunContext): Promise<HeldInstant>;
  planRestore(request: RestoreRequest, signal: AbortSignal): Promise<RestorePlan>;
  openRestore(request: RestoreRequest, context: RunContext): Promise<RestoreSession>;
  /**
   * What a point of this strategy keeps on the manager for the next increment, in the order in which it can go: asked for
   * when another strategy takes the next point, and then looked up as `leftovers`. The point comes from a store and may
   * name anything.
   */
  keeps?(point: RecoveryPoint): readonly NewLedgerEntry[];
  /** Looks at what the strategy needs beyond what every one needs, and changes nothing. */
  diagnose?(signal: AbortSignal): Promise<readonly Diagnosis[]>;
}

/** What a strategy's plugin is created with. */
export interface StrategyHost {
  readonly manager: Manager;
}
