import { CodecError, type DiskRecord, IntegrityError, type RecoveryPoint } from "@ovault/contract";
import type { LoadPage } from "../repository/block-map/block-map-reader.ts";
import type { ChunkWriter } from "../repository/chunks/chunk-writer.ts";
import { toHex } from "../util/hex.ts";
import { copyDisk } from "./copy-disk.ts";
import type { CopiedRepositories } from "./copy-stores.ts";
import { type CopyTotals, NOTHING_COPIED, sumOf } from "./copy-totals.ts";
import { findReference, openReference, type Reference } from "./find-reference.ts";

export interface ChunkCopyOptions extends CopiedRepositories {
  readonly runId: string;
  /** Both repositories give a chunk the same id. */
  readonly sameIds: boolean;
  readonly point: RecoveryPoint;
  /** The copy at the destination may have losses: take nothing over from a reference. */
  readonly anew: boolean;
  readonly lanes: number;
  readonly onProgress: (totals: CopyTotals) => void;
  readonly signal: AbortSignal;
}

export interface CopiedDisks {
  /** As in the source, with the block maps of the destination. */
  readonly disks: readonly DiskRecord[];
  readonly totals: CopyTotals;
}

/** Copies the chunks of a point that the destination lacks. The caller has announced its run there. */
export class ChunkCopy {
  readonly #options: ChunkCopyOptions;

  constructor(options: ChunkCopyOptions) {
    this.#options = options;
  }

  /** Without a reference if it is unreadable. */
  async run(): Promise<CopiedDisks> {
    const { sameIds, anew, point, signal } = this.#options;
    const reference = sameIds || anew ? undefined : await findReference(this.#options, point, signal);
    try {
      return await this.#copyWith(reference);
    } catch (error) {
      if (reference === undefined || error instanceof CodecError || !(error instanceof IntegrityError)) throw error;
      return await this.#copyWith(undefined);
    }
  }

  async #copyWith(reference: Reference | undefined): Promise<CopiedDisks> {
    const { to, point, runId, signal } = this.#options;
    const writer = to.writer(signal, [], runId);
    const disks: DiskRecord[] = [];
    let totals = NOTHING_COPIED;
    try {
      for (const record of point.disks) {
        const copied = await this.#copyDisk(record, reference, { writer, before: totals });
        totals = sumOf([totals, copied]);
        disks.push({ ...record, blockMap: copied.blockMap === null ? null : toHex(copied.blockMap) });
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
      onProgress: (totals) => this.#options.onProgress(sumOf([before, totals])),
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
}
