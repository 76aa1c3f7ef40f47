import { CodecError, type DiskRecord, IntegrityError, type RecoveryPoint } from "@ovault/contract";
import { BufferPool } from "../pipeline/buffer-pool.ts";
import type { PointWriter } from "../points/point-writer.ts";
import type { CopiedDisks } from "./chunk-copy.ts";
import { type CopyBase, findCopyBase } from "./copy-base.ts";
import { openCopySources } from "./copy-source.ts";
import type { CopyStores } from "./copy-stores.ts";
import { type CopyTotals, sumOf } from "./copy-totals.ts";

export interface DiskCopyOptions extends CopyStores {
  readonly point: RecoveryPoint;
  readonly writer: PointWriter;
  /** The copy at the destination may have losses: store again what they may have hit. */
  readonly anew: boolean;
  readonly lanes: number;
  readonly onProgress: (totals: CopyTotals) => void;
  readonly signal: AbortSignal;
}

/** Reads the disks of a point and stores them at the destination, as a backup would. */
export class DiskCopy {
  readonly #options: DiskCopyOptions;

  constructor(options: DiskCopyOptions) {
    this.#options = options;
  }

  /** Without a base if that is damaged. */
  async run(): Promise<CopiedDisks> {
    const { point, signal } = this.#options;
    const base = await findCopyBase(this.#options, point, signal);
    try {
      return await this.#copyWith(base);
    } catch (error) {
      if (base === undefined || error instanceof CodecError || !(error instanceof IntegrityError)) throw error;
      return await this.#copyWith(undefined);
    }
  }

  async #copyWith(base: CopyBase | undefined): Promise<CopiedDisks> {
    const { to, point, writer, anew, lanes, onProgress, signal } = this.#options;
    const sources = await openCopySources({ ...this.#options, base, signal });
    const buffers = new BufferPool(lanes, to.blockBytes);
    const done = new Map<string, CopyTotals>();
    const taken = await writer.takeDisks(sources, {
      base: base?.there,
      anew,
      buffers,
      onProgress: (event) => {
        done.set(event.diskId, event);
        onProgress(sumOf(done.values()));
      },
    });
    const disks = point.disks.map((record, number) =>
      asCopied(record, taken[number], to.blockBytes === point.blockBytes),
    );
    const totals = sumOf(taken.map(({ stats }) => ({ ...stats, doneBytes: stats.logicalBytes })));
    return { disks, totals };
  }
}

/** How the disk was taken stays, with the counts of blocks, unless blocks have another size here. */
function asCopied(record: DiskRecord, taken: DiskRecord | undefined, sameBlocks: boolean): DiskRecord {
  const { blockMap = null, stats = record.stats } = taken ?? {};
  return { ...record, blockMap, stats: sameBlocks ? record.stats : stats };
}
