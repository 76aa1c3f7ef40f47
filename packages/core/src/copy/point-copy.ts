import { type DiskRecord, IntegrityError, NotFoundError, type RecoveryPoint } from "@ovault/contract";
import type { PointWriter } from "../points/point-writer.ts";
import { type CopiedDisks, ChunkCopy } from "./chunk-copy.ts";
import { areRepositories, type CopyStores } from "./copy-stores.ts";
import { type CopyTotals, NOTHING_COPIED } from "./copy-totals.ts";
import { DiskCopy } from "./disk-copy.ts";
import { findCopy } from "./find-copy.ts";

export interface PointCopyOptions extends CopyStores {
  readonly runId: string;
  /** Both stores are repositories that give a chunk the same id. */
  readonly sameIds: boolean;
  readonly point: RecoveryPoint;
  /** Of the copy, at the destination. */
  readonly writer: PointWriter;
  /** Called before the first look at what the destination has of the data. */
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

/** Copies one point: chunks between repositories, otherwise what their disks hold. */
export class PointCopy {
  readonly #options: PointCopyOptions;

  constructor(options: PointCopyOptions) {
    this.#options = options;
  }

  async run(): Promise<CopiedPoint> {
    const { from, to, point, writer, signal } = this.#options;
    const copyId = writer.id;
    const found = await findCopy(to, { vm: point.vm, id: copyId }, signal);
    if (found?.isWhole === true) return { outcome: "present", copyId, ...NOTHING_COPIED };
    const isGone = from.kind === "repository" && from.isCondemned(point);
    if (isGone || !(await from.points.holds(point, signal))) {
      throw new NotFoundError(`${point.id} was forgotten at the source`, { context: { point: point.id } });
    }
    await this.#options.prepare();
    const { disks, totals } = await this.#copyDisks(found !== undefined);
    if (found === undefined) await this.#seal(disks);
    else assertSameMaps(point, disks, found.copy);
    return { outcome: found === undefined ? "copied" : "healed", copyId, ...totals };
  }

  async #copyDisks(anew: boolean): Promise<CopiedDisks> {
    const options = { ...this.#options, anew };
    return await (areRepositories(options) ? new ChunkCopy(options) : new DiskCopy(options)).run();
  }

  async #seal(copied: readonly DiskRecord[]): Promise<void> {
    const { from, to, point, writer, signal } = this.#options;
    // Without the base marker: its checkpoint belongs to the chain of the other store.
    const disks = copied.map(({ disk, mode, reason, blockMap, stats }) => ({ disk, mode, reason, blockMap, stats }));
    const { blockBytes } = to;
    await writer.seal({ ...point, id: writer.id, disks, blockBytes, copiedFrom: await from.identify(signal) });
  }
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
