import { randomUUID } from "node:crypto";

import {
  type BackupSession,
  type BaseMarker,
  createRunHooks,
  type DiskRecord,
  type DiskSource,
  inLanes,
  type Quiesce,
  type RecoveryPoint,
  type RunHooks,
  type RunLedger,
  type VirtualMachine,
} from "@ovault/contract";
import { validateExtents } from "@ovault/core";

import { assertSame } from "../assertions.ts";
import { diskStats } from "../model/disk-stats.ts";
import type { StrategyUnderTest } from "./strategy-under-test.ts";
import { type WatchCall, WatchedLedger } from "./watched-ledger.ts";

const READ_BYTES = 1024 * 1024;

/** A point with the bytes of its disks, by disk id. */
export interface TakenBackup {
  readonly point: RecoveryPoint;
  readonly images: ReadonlyMap<string, Uint8Array>;
}

export interface OpenWishes {
  readonly base?: TakenBackup | undefined;
  readonly full?: boolean;
  /** `try` unless told. */
  readonly quiesce?: Quiesce;
  /** True unless told. */
  readonly keepBase?: boolean;
  /** Ids of disks to leave out. */
  readonly exclude?: readonly string[];
  readonly signal: AbortSignal;
  /** Of the run, with taps; new ones unless told. */
  readonly hooks?: RunHooks;
  readonly watch?: WatchCall;
  /** Closes the session as failed after everything was read. */
  readonly abandon?: boolean;
  /** Cancels what follows sealing; the default is `signal`. */
  readonly retireSignal?: AbortSignal;
}

/** What it takes to back up, without a repository. */
export type BackupBench = Pick<StrategyUnderTest, "strategy" | "vm" | "ledger">;

/** A session that is open, and what a run knows around it. */
export interface OpenRun {
  readonly session: BackupSession;
  readonly vm: VirtualMachine;
  readonly ledger: RunLedger;
  /** Ledger calls so far. */
  readonly calls: () => number;
}

/** Opens a session on all disks the strategy can take, lets `use` work with it, and ends the ledger of the run. */
export async function withRun<T>(
  bench: BackupBench,
  wishes: OpenWishes,
  use: (run: OpenRun) => Promise<T>,
): Promise<T> {
  const { base, full = false, quiesce = "try", keepBase = true, exclude = [], signal, watch = () => {} } = wishes;
  const { hooks = createRunHooks() } = wishes;
  const { strategy } = bench;
  const vm = await bench.vm();
  const assessed = await strategy.assess(vm, new AbortController().signal);
  const able = new Set(
    assessed.disks.filter(({ verdict }) => verdict === "full" || verdict === "incremental").map(({ diskId }) => diskId),
  );
  const disks = vm.disks.filter(({ id }) => able.has(id) && !exclude.includes(id));
  const runId = randomUUID();
  const own = await bench.ledger.forRun({ runId, manager: vm.manager, strategy: strategy.name });
  const ledger = new WatchedLedger(own, watch);
  try {
    const request = { vm, disks, base: base?.point, full, quiesce, keepBase };
    const session = await strategy.openBackup(request, { runId, ledger, hooks, signal });
    return await use({ session, vm, ledger, calls: () => ledger.calls });
  } finally {
    await own.end();
  }
}

/**
 * Does what a run does, with images in memory in place of a repository. A run that fails closes its session as failed.
 * @param whenOpen called before anything is read.
 */
export async function takeBackup(
  bench: BackupBench,
  wishes: OpenWishes,
  whenOpen: () => Promise<void> = async () => {},
): Promise<TakenBackup> {
  return await withRun(bench, wishes, async (run) => {
    const { base, signal, abandon = false, retireSignal = signal } = wishes;
    const { session } = run;
    const images = new Map<string, Uint8Array>();
    let bases: ReadonlyMap<string, BaseMarker>;
    try {
      await whenOpen();
      for (const source of session.disks) {
        images.set(source.disk.id, await imageOf(source, base?.images.get(source.disk.id), signal));
      }
      await session.confirm?.(signal);
      ({ bases } = await session.close(abandon ? "failed" : "complete"));
    } catch (error) {
      await session.close("failed");
      throw error;
    }
    if (!abandon) await session.retire(retireSignal);
    return { point: pointOf(run, bench.strategy.name, base, bases), images };
  });
}

/** Builds the image from extents, as the pipeline would: every byte once, what is unchanged from the base. */
export async function imageOf(
  source: DiskSource,
  base: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { disk, mode, maxReads } = source;
  const image = new Uint8Array(disk.logicalBytes).fill(0xee);
  const reads: { readonly offset: number; readonly buffer: Uint8Array }[] = [];
  for await (const { offset, length, kind } of validateExtents(source.extents(signal), disk.logicalBytes)) {
    const range = image.subarray(offset, offset + length);
    if (kind === "zero") range.fill(0);
    if (kind === "unchanged") {
      assertSame(mode, "incremental", `mode of ${disk.alias}, which has unchanged extents`);
      assertSame(
        base !== undefined && offset + length <= base.length,
        true,
        `the base has what is unchanged at ${offset}`,
      );
      range.set(base?.subarray(offset, offset + length) ?? []);
    }
    if (kind !== "data") continue;
    for (let at = 0; at < length; at += READ_BYTES) {
      reads.push({ offset: offset + at, buffer: range.subarray(at, at + READ_BYTES) });
    }
  }
  await inLanes(reads, maxReads, ({ offset, buffer }) => source.readInto(offset, buffer, signal));
  await source.release?.();
  return image;
}

function pointOf(
  { session, vm, ledger }: OpenRun,
  strategy: string,
  base: TakenBackup | undefined,
  bases: ReadonlyMap<string, BaseMarker>,
): RecoveryPoint {
  const now = new Date().toISOString();
  return {
    id: `point-${ledger.runId}`,
    vm,
    takenAt: now,
    sealedAt: now,
    runId: ledger.runId,
    strategy,
    basePoint: base?.point.id ?? null,
    consistency: session.consistency,
    blockBytes: READ_BYTES,
    disks: session.disks.map((source) => recordOf(source, bases.get(source.disk.id))),
    skipped: [],
    documents: session.documents,
    warnings: [],
    ovaultVersion: "0.0.0",
  };
}

function recordOf({ disk, mode, reason }: DiskSource, base: BaseMarker | undefined): DiskRecord {
  const stats = diskStats(disk.logicalBytes);
  return { disk, mode, reason, blockMap: null, ...(base === undefined ? {} : { base }), stats };
}
