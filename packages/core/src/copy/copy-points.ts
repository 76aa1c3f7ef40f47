import {
  machineKey,
  type RecoveryPoint,
  UsageError,
  type Clock,
  type ProcessIdentity,
  systemClock,
} from "@ovault/contract";
import { sameId } from "../format/digest.ts";
import { inOrder } from "../points/point-order.ts";
import { runFailure } from "../concurrency/cancellation.ts";
import { DEFAULT_LANES } from "../runs/default-lanes.ts";
import { newRunId } from "../util/run-id.ts";
import { adoptPacks } from "./adopt-packs.ts";
import { copyPoint } from "./copy-point.ts";
import { areRepositories, type CopiedRepositories, type CopyStores } from "./copy-stores.ts";
import { type CopyTotals, NOTHING_COPIED } from "./copy-totals.ts";
import { estimateCopy } from "./estimate-copy.ts";
import type { CopiedPoint } from "./point-copy.ts";
import { SourceReading } from "./source-reading.ts";

export interface CopyPointsOptions extends CopyStores {
  /** Default: a new one. */
  readonly runId?: string;
  readonly points: readonly RecoveryPoint[];
  /** Only determines what would be read. Changes nothing and takes no lease. */
  readonly dryRun?: boolean;
  /** What to do when another run holds a virtual machine at the destination. */
  readonly ifBusy?: "refuse" | "wait";
  /** Blocks in flight. */
  readonly lanes?: number;
  readonly onProgress?: (point: RecoveryPoint, totals: CopyTotals) => void;
  /** Called when a point is done, well or not. */
  readonly onResult?: (result: CopyResult) => void;
  /** Called before a copy waits for another run. `message`: which one, for people. */
  readonly onWait?: (message: string) => void;
  /** Called before a copy waits for a beat of a run that seems dead. `message`: one line for people. */
  readonly onDoubt?: (message: string) => void;
  readonly signal: AbortSignal;
  /** Process that the leases name as their holder; this one by default. */
  readonly process?: ProcessIdentity;
  readonly clock?: Clock;
}

/** Outcome of the copy of one point; with `dryRun`, a prediction. */
export interface CopyResult extends CopyTotals {
  readonly point: RecoveryPoint;
  readonly outcome: CopiedPoint["outcome"] | "failed";
  /** See `CopiedPoint`; undefined if the copy failed. */
  readonly copyId: string | undefined;
  /** Undefined unless the copy failed. */
  readonly error: unknown;
}

/**
 * Copies points to another store, oldest first, under the same ids, and reuses what is there. A failed copy does not
 * stop the others.
 * @throws UsageError when the two stores do not allow copies between them
 */
export async function copyPoints(options: CopyPointsOptions): Promise<readonly CopyResult[]> {
  const { runId = newRunId(), to, points, clock = systemClock, signal } = options;
  await assertCopyable(options, signal);
  const run: CopyRun = {
    ...options,
    runId,
    clock,
    sameIds: areRepositories(options) && (await nameAlike(options)),
    prepare: once(async () => (to.kind === "repository" ? adoptPacks(to, signal) : undefined)),
  };
  const results: CopyResult[] = [];
  for (const ofOne of byVirtualMachine(points)) results.push(...(await copyVirtualMachine(run, ofOne)));
  return results;
}

interface CopyRun extends CopyPointsOptions {
  readonly runId: string;
  readonly clock: Clock;
  readonly sameIds: boolean;
  readonly prepare: () => Promise<void>;
}

/** The points of each virtual machine, oldest first. */
function byVirtualMachine(points: readonly RecoveryPoint[]): Iterable<readonly RecoveryPoint[]> {
  return Map.groupBy(inOrder(points), ({ vm }) => machineKey(vm)).values();
}

async function copyVirtualMachine(run: CopyRun, points: readonly RecoveryPoint[]): Promise<readonly CopyResult[]> {
  const { from, to, dryRun = false, ifBusy = "refuse", lanes = DEFAULT_LANES, signal } = run;
  const results: CopyResult[] = [];
  const add = (result: CopyResult): void => {
    results.push(result);
    run.onResult?.(result);
  };
  let reading: SourceReading | undefined;
  try {
    for (const point of points) {
      const onProgress = (totals: CopyTotals): void => run.onProgress?.(point, totals);
      try {
        if (!dryRun && from.kind === "repository") {
          reading ??= await SourceReading.begin(from, { ...run, to: await to.identify(signal), vm: point.vm });
        }
        await reading?.next(signal);
        const copied = dryRun
          ? await estimateCopy({ ...run, point })
          : await copyPoint({ ...run, point, ifBusy, lanes, onProgress });
        add({ point, ...copied, error: undefined });
      } catch (error) {
        if (signal.aborted) throw runFailure(error, signal);
        add({ point, outcome: "failed", copyId: undefined, ...NOTHING_COPIED, error });
      }
    }
  } finally {
    await reading?.end();
  }
  return results;
}

async function assertCopyable(stores: CopyStores, signal: AbortSignal): Promise<void> {
  const { from, to } = stores;
  if (from.kind === to.kind && (await from.identify(signal)) === (await to.identify(signal))) {
    throw new UsageError("source and destination are the same", {
      hint: (field) => `Name another destination with ${field("to")}, or another source with ${field("from")}.`,
    });
  }
  if (!areRepositories(stores) || from.blockBytes === to.blockBytes) return;
  throw new UsageError(
    `the source has blocks of ${from.blockBytes} bytes and the destination of ${to.blockBytes}: nothing can be shared`,
    {
      context: { from: from.blockBytes, to: to.blockBytes },
      hint: "Make a repository with blocks of the same size for the copies: a new destination, or another directory of it.",
    },
  );
}

/** Whether both repositories give a chunk the same id. */
async function nameAlike({ from, to }: CopiedRepositories): Promise<boolean> {
  const probe = Buffer.from("the same bytes on both sides");
  return sameId(await from.protection.chunkId(probe), await to.protection.chunkId(probe));
}

/** Runs `work` until a call succeeds; later calls do nothing. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done = false;
  return async () => {
    if (!done) await work();
    done = true;
  };
}
