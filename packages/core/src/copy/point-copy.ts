import {
  type DiskRecord,
  type RecoveryPoint,
  IntegrityError,
  NotFoundError,
  UsageError,
  CodecError,
} from "@ovault/contract";
import type { LoadPage } from "../repository/block-map/block-map-reader.ts";
import type { ChunkWriter } from "../repository/chunks/chunk-writer.ts";
import type { Lease } from "../leases/lease.ts";
import type { Repository } from "../repository/repository.ts";
import { toHex } from "../util/hex.ts";
import { copyDisk, type CopyTotals, NOTHING_COPIED } from "./copy-disk.ts";
import { findReference, openReference, type Reference } from "./find-reference.ts";

export interface PointCopyOptions {
  readonly from: Repository;
  readonly to: Repository;
  /** Both repositories give a chunk the same id. */
  readonly sameIds: boolean;
  readonly point: RecoveryPoint;
  /** Lease of the virtual machine at the destination; announced there. */
  readonly lease: Lease;
  /** Id of the copy, which the lease names as the point to seal. */
  readonly name: string;
  /** Called before the first chunk lookup. */
  readonly prepare: () => Promise<void>;
  readonly lanes: number;
  readonly onProgress: (totals: CopyTotals) => void;
  readonly signal: AbortSignal;
}

export interface CopiedPoint extends CopyTotals {
  /** `healed`: the point was there, but had lost data that the copy restored. */
  readonly outcome: "copied" | "present" | "healed";
  /** Id of the copy: the original's, unless earlier copiers were replaced. */
  readonly copyId: string;
}

/** Copies one point while its leases are held. */
export class PointCopy {
  readonly #options: PointCopyOptions;

  constructor(options: PointCopyOptions) {
    this.#options = options;
  }

  async run(): Promise<CopiedPoint> {
    const { from, to, point, name, signal } = this.#options;
    const state = await to.points.stateOf({ vm: point.vm, id: name }, signal);
    if (state === "forgotten") {
      throw new UsageError(`${point.id} was forgotten at the destination, and is not pruned yet`, {
        context: { point: point.id },
        hint: "Run `ovault prune` there, then copy it again.",
      });
    }
    const there = typeof state === "string" ? undefined : state;
    if (there !== undefined && (await to.lossesOfBase(there, signal)).length === 0) {
      return { outcome: "present", copyId: name, ...NOTHING_COPIED };
    }
    if (!(await from.points.holds(point, signal)) || from.isCondemned(point)) {
      throw new NotFoundError(`${point.id} was forgotten at the source`, { context: { point: point.id } });
    }
    await this.#options.prepare();
    const { disks, totals } = await this.#copyDisks(there !== undefined);
    if (there === undefined) await this.#seal(disks);
    else assertSameMaps(point, disks, there);
    return { outcome: there === undefined ? "copied" : "healed", copyId: name, ...totals };
  }

  /** Without a reference if it is unreadable, or if the point at the destination may have losses. */
  async #copyDisks(anew: boolean): Promise<{ readonly disks: readonly DiskRecord[]; readonly totals: CopyTotals }> {
    const { sameIds, point, signal } = this.#options;
    const reference = sameIds || anew ? undefined : await findReference(this.#options, point, signal);
    try {
      return await this.#copyWith(reference);
    } catch (error) {
      if (reference === undefined || error instanceof CodecError || !(error instanceof IntegrityError)) throw error;
      return await this.#copyWith(undefined);
    }
  }

  async #copyWith(
    reference: Reference | undefined,
  ): Promise<{ readonly disks: readonly DiskRecord[]; readonly totals: CopyTotals }> {
    const { to, point, lease, signal } = this.#options;
    const writer = to.writer(signal, [], lease.runId);
    const disks: DiskRecord[] = [];
    let totals = NOTHING_COPIED;
    try {
      for (const record of point.disks) {
        const copied = await this.#copyDisk(record, reference, { writer, before: totals });
        totals = sumOf(totals, copied);
        const { disk, mode, reason, stats } = record;
        // Drops the base marker: its checkpoint belongs to the other repository's chain.
        disks.push({ disk, mode, reason, blockMap: copied.blockMap === null ? null : toHex(copied.blockMap), stats });
      }
      await writer.finish();
      return { disks, totals };
    } finally {
      await writer.idle();
    }
  }

  async #copyDisk(
    record: DiskRecord,
    reference: Reference | undefined,
    { writer, before }: { readonly writer: ChunkWriter; readonly before: CopyTotals },
  ) {
    const { from, point, sameIds, signal } = this.#options;
    const map = await from.openMap(point, record, signal, sameIds ? { loadPage: this.#loadPage } : {});
    const opened = reference === undefined ? undefined : await openReference(this.#options, reference, record, signal);
    return await copyDisk({
      ...this.#options,
      writer,
      record,
      map,
      reference: opened,
      onProgress: (totals) => this.#options.onProgress(sumOf(before, totals)),
    });
  }

  /** Prefers the destination, if it has the page. */
  readonly #loadPage: LoadPage = async (id, signal) => {
    const { from, to } = this.#options;
    if (!to.index.isReadable(id)) return await from.chunks.load(id, signal);
    try {
      return await to.chunks.load(id, signal);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      return await from.chunks.load(id, signal);
    }
  };

  async #seal(disks: readonly DiskRecord[]): Promise<void> {
    const { from, to, point, name, lease, signal } = this.#options;
    const copy = { ...point, id: name, disks, copiedFrom: from.settings.id };
    await lease.seal((sealing) => to.points.seal(copy, sealing), signal);
  }
}

function sumOf(a: CopyTotals, b: CopyTotals): CopyTotals {
  return {
    doneBytes: a.doneBytes + b.doneBytes,
    readBytes: a.readBytes + b.readBytes,
    storedBytes: a.storedBytes + b.storedBytes,
  };
}

/** The maps stored again must be those that the manifest refers to. */
function assertSameMaps(point: RecoveryPoint, disks: readonly DiskRecord[], there: RecoveryPoint): void {
  const differs = disks.some(({ blockMap }, number) => blockMap !== there.disks[number]?.blockMap);
  if (!differs) return;
  throw new IntegrityError(`${point.id} at the destination is not what the source has under this name`, {
    context: { point: point.id },
    hint: "Forget it at the destination, prune there, and copy it again.",
  });
}
