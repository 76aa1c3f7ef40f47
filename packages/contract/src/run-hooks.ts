import { AsyncSeriesHook, AsyncSeriesWaterfallHook, SyncHook, SyncWaterfallHook } from "tapable";

import { callObserver } from "./util/call-observer.ts";
import type { BackupMode } from "./disk-source.ts";
import type { Consistency, RecoveryPoint } from "./recovery-point.ts";
import type { Disk, VirtualMachine } from "./virtual-machine.ts";

/** Payload of `started`: identifies the run. */
export interface RunStart {
  readonly runId: string;
  readonly vm: VirtualMachine;
}

/** The pipeline has finished a span of one disk. One event for many blocks, never one per block. */
export interface SpanEvent {
  readonly diskId: string;
  /** Bytes of the disk accounted for so far, in disk order; approximate. */
  readonly doneBytes: number;
  readonly logicalBytes: number;
  /** Totals of this disk so far. */
  readonly readBytes: number;
  readonly storedBytes: number;
}

/** The data of a machine is open: its strategy can read or write each disk. */
export interface OpenedEvent {
  /** Name of the strategy. */
  readonly strategy: string;
  /** Id of the point that a backup makes, if it is sealed, or that a restore reads. */
  readonly point: string;
  readonly disks: readonly OpenedDisk[];
}

export interface OpenedDisk {
  readonly diskId: string;
  /** See `DiskSource`; null where the strategy does not say. */
  readonly carrier: string | null;
  /** Of backups: how the strategy takes the disk. */
  readonly mode?: BackupMode;
  /** Why so, for people. */
  readonly reason?: string;
}

export interface PhaseEvent {
  /** e.g. `wait`, `open`, `copy`, `finalize`, `seal`, `cleanup`. */
  readonly phase: string;
  readonly detail: string;
}

/**
 * The hooks of one run, made fresh for it. Gates (async) may veto by throwing, which ends the run; observers (sync)
 * cannot: what one throws, or rejects with later, reaches neither the run nor the other observers.
 */
export interface RunHooks {
  /** A backup begins. Restores do not call it. */
  readonly started: SyncHook<[RunStart]>;
  /** Waterfall: the disks to take, of a virtual machine. May remove disks, never add. */
  readonly selectDisks: AsyncSeriesWaterfallHook<[readonly Disk[], VirtualMachine]>;
  /** Gate: just before the strategy freezes the instant; for freeze commands and pre-snapshot scripts. */
  readonly beforeSnapshot: AsyncSeriesHook<[VirtualMachine, AbortSignal]>;
  /**
   * As soon as the manager holds the instant, before any disk is opened. Core always calls it after `beforeSnapshot`,
   * also after failures and when the run is cancelled: its signal is a deadline of its own. Thaw belongs here. Core
   * calls every tap, also when those before it threw; what they throw becomes warnings of the point.
   */
  readonly afterSnapshot: AsyncSeriesHook<[VirtualMachine, AbortSignal]>;
  /**
   * Waterfall and gate, after the two above: how consistent the instant is. Starts with the strategy's value; a tap
   * that froze the guest itself may raise it.
   */
  readonly consistency: SyncWaterfallHook<[Consistency, VirtualMachine]>;
  /**
   * After `afterSnapshot`, before the first byte moves; in restores of a machine too. Comes twice when a run finds its
   * base damaged.
   * @since 0.2.0
   */
  readonly opened: SyncHook<[OpenedEvent]>;
  /** All data of a backup is stored; only work on the manager remains. */
  readonly copied: SyncHook<[]>;
  /** Gate: all data is stored, the point is not yet visible. */
  readonly beforeSeal: AsyncSeriesHook<[Omit<RecoveryPoint, "sealedAt">]>;
  readonly sealed: SyncHook<[RecoveryPoint]>;
  readonly failed: SyncHook<[unknown]>;
  readonly phase: SyncHook<[PhaseEvent]>;
  readonly span: SyncHook<[SpanEvent]>;
  readonly warning: SyncHook<[string]>;
  /** The run is over, whatever its outcome. */
  readonly finished: SyncHook<[]>;
}

export function createRunHooks(): RunHooks {
  return {
    started: observers(["start"]),
    selectDisks: new AsyncSeriesWaterfallHook(["disks", "vm"]),
    beforeSnapshot: new AsyncSeriesHook(["vm", "signal"]),
    afterSnapshot: new AsyncSeriesHook(["vm", "signal"]),
    consistency: new SyncWaterfallHook(["consistency", "vm"]),
    opened: observers(["event"]),
    copied: observers([]),
    beforeSeal: new AsyncSeriesHook(["point"]),
    sealed: observers(["point"]),
    failed: observers(["error"]),
    phase: observers(["event"]),
    span: observers(["event"]),
    warning: observers(["message"]),
    finished: observers([]),
  };
}

/** A hook for observers: each is called, whatever those before it threw, and may be asynchronous. */
function observers<T extends unknown[]>(names: ConstructorParameters<typeof SyncHook<T>>[0]): SyncHook<T> {
  const hook = new SyncHook<T>(names);
  hook.intercept({ register: (tap) => ({ ...tap, fn: harmless(tap.fn) }) });
  return hook;
}

function harmless(observer: Function): (...args: readonly unknown[]) => void {
  return (...args) => callObserver(() => Reflect.apply(observer, undefined, args));
}

/** Calls an observer hook and swallows what observers throw. */
export function observe<T extends unknown[]>(hook: { call(...args: T): unknown }, ...args: T): void {
  callObserver(() => hook.call(...args));
}
