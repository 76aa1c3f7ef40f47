import { randomUUID } from "node:crypto";

import {
  type BaseMarker,
  createRunHooks,
  type DiskRecord,
  type DiskSource,
  type HeldInstant,
  inLanes,
  type Quiesce,
  type RecoveryPoint,
  type RunHooks,
  type RunLedger,
  type Turn,
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

export interface RunWishes {
  readonly base?: TakenBackup | undefined;
  readonly full?: boolean;
  /** Default: `try`. */
  readonly quiesce?: Quiesce;
  /** Default: true. */
  readonly keepBase?: boolean;
  /** Ids of disks to leave out. */
  readonly exclude?: readonly string[];
  readonly signal: AbortSignal;
  /** Hooks of the run, with taps; new ones by default. */
  readonly hooks?: RunHooks;
  readonly watch?: WatchCall;
  /** Closes the instant as failed after everything was read. */
  readonly abandon?: boolean;
  /** Ends as a killed run does: without giving its turn back. */
  readonly dies?: boolean;
  /** Cancels what follows the seal. Default: `signal`. */
  readonly retireSignal?: AbortSignal;
}

/** What a backup needs, without a repository. */
export type BackupBench = Pick<StrategyUnderTest, "strategy" | "vm" | "ledger">;

/** A held instant, and the state of its run. */
export interface HeldRun {
  readonly instant: HeldInstant;
  readonly vm: VirtualMachine;
  readonly ledger: RunLedger;
  /** Ledger calls so far. */
  readonly calls: () => number;
}

/** Takes the instant of all disks the strategy can take, passes it to `use`, and ends the run's ledger. */
export async function withRun<T>(bench: BackupBench, wishes: RunWishes, use: (run: HeldRun) => Promise<T>): Promise<T> {
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
  const context = { runId, ledger, hooks, signal };
  const request = { vm, disks, base: base?.point, full, quiesce, keepBase };
  let turn: Turn | undefined;
  try {
    turn = disks.length > 0 ? await strategy.awaitTurn?.(request, context) : undefined;
    const instant = await strategy.takeInstant({ ...request, turn }, context);
    return await use({ instant, vm, ledger, calls: () => ledger.calls });
  } finally {
    // A ledger that fails on purpose keeps the entry.
    if (!wishes.dies) await turn?.release().catch(() => undefined);
    await own.end();
  }
}

/** Callbacks while a run takes a backup. */
export interface Meanwhile {
  /** Called when the instant is held and no disk is open. */
  readonly whenHeld?: () => Promise<void>;
  /** Called when all disks are open and none has been read. */
  readonly whenOpen?: (() => Promise<void>) | undefined;
}

/** Acts as a run does, with images in memory in place of a repository. A failed run closes its instant as failed. */
export async function takeBackup(
  bench: BackupBench,
  wishes: RunWishes,
  { whenHeld, whenOpen }: Meanwhile = {},
): Promise<TakenBackup> {
  return await withRun(bench, wishes, async (run) => {
    const { base, signal, abandon = false, retireSignal = signal } = wishes;
    const { instant } = run;
    const images = new Map<string, Uint8Array>();
    let sources: readonly DiskSource[];
    let bases: ReadonlyMap<string, BaseMarker>;
    try {
      await whenHeld?.();
      sources = await instant.open(signal);
      await whenOpen?.();
      for (const source of sources) {
        images.set(source.disk.id, await imageOf(source, base?.images.get(source.disk.id), signal));
      }
      await instant.confirm?.(signal);
      ({ bases } = await instant.close(abandon ? "failed" : "complete"));
    } catch (error) {
      await instant.close("failed");
      throw error;
    }
    if (!abandon) await instant.retire(retireSignal);
    const records = sources.map((source) => recordOf(source, bases.get(source.disk.id)));
    return { point: pointOf(run, bench.strategy.name, base, records), images };
  });
}

/** Builds the image from extents, as the pipeline would: every byte once, unchanged ones from the base. */
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
  { instant, vm, ledger }: HeldRun,
  strategy: string,
  base: TakenBackup | undefined,
  disks: readonly DiskRecord[],
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
    consistency: instant.consistency,
    blockBytes: READ_BYTES,
    disks,
    skipped: [],
    documents: instant.documents,
    warnings: [],
    ovaultVersion: "0.0.0",
  };
}

function recordOf({ disk, mode, reason }: DiskSource, base: BaseMarker | undefined): DiskRecord {
  const stats = diskStats(disk.logicalBytes);
  return { disk, mode, reason, blockMap: null, ...(base === undefined ? {} : { base }), stats };
}
