import {
  type Disk,
  type DiskRecord,
  type DiskSource,
  IntegrityError,
  ObjectNotFoundError,
  type ImageDraft,
  type RecoveryPoint,
  type StoredImage,
  type VirtualMachine,
} from "@ovault/contract";
import { backupDisk } from "../pipeline/backup-disk.ts";
import { takeDisks } from "../pipeline/take-disks.ts";
import { type ClaimedPoint, claimPoint } from "../points/claim-point.ts";
import type { BeginPointOptions, PointWriter, TakeDisksOptions } from "../points/point-writer.ts";
import type { ImageCatalog } from "./image-catalog.ts";
import { baseDiskOf, ImageDisk } from "./image-disk.ts";

/** Deadline of removing images of a run that failed; what is left then, the next run of the machine removes. */
const REMOVAL_MS = 10_000;

/** Writes each disk of a point as an image; an increment begins as the image of the base. */
export class ImagePointWriter implements PointWriter {
  readonly id: string;
  readonly signal: AbortSignal;
  readonly #catalog: ImageCatalog;
  readonly #vm: VirtualMachine;
  readonly #lease: ClaimedPoint["lease"];
  readonly #blockBytes: number;
  #hasImages = false;
  #mayBeSealed = false;

  private constructor(
    catalog: ImageCatalog,
    vm: VirtualMachine,
    { id, lease }: ClaimedPoint,
    { signal, blockBytes }: { readonly signal: AbortSignal; readonly blockBytes: number },
  ) {
    this.id = id;
    this.signal = AbortSignal.any([signal, lease.signal]);
    this.#catalog = catalog;
    this.#vm = vm;
    this.#lease = lease;
    this.#blockBytes = blockBytes;
  }

  static async begin(
    catalog: ImageCatalog,
    vm: VirtualMachine,
    options: BeginPointOptions & { readonly blockBytes: number },
  ): Promise<ImagePointWriter> {
    const { reserve } = catalog;
    const { runId, clock, signal } = options;
    // What a dead run has left may be all that fills the store.
    return await reserve.during(async () => {
      const writer = new ImagePointWriter(catalog, vm, await claimPoint(catalog.place, vm, options), options);
      try {
        await catalog.removeLeftovers(writer.#name, { runId, at: clock.now() }, writer.signal);
        await reserve.keep(writer.signal);
        return writer;
      } catch (error) {
        await writer.release();
        throw error;
      }
    }, signal);
  }

  async takeDisks(sources: readonly DiskSource[], options: TakeDisksOptions): Promise<DiskRecord[]> {
    this.#hasImages = true;
    // Of an earlier call that failed, or of an earlier copy of this name.
    await this.#catalog.removeImages(this.#name, this.signal);
    return await takeDisks(sources, (source, signal) => this.#takeDisk(source, options, signal), this.signal);
  }

  async seal(point: RecoveryPoint): Promise<void> {
    await this.#lease.seal((signal) => {
      this.#mayBeSealed = true;
      return this.#catalog.seal(point, signal);
    }, this.signal);
  }

  async release(): Promise<void> {
    // The images that a run finds under the name of a copy may be those of a point.
    if (this.#hasImages && !this.#mayBeSealed) {
      await this.#catalog.removeImages(this.#name, AbortSignal.timeout(REMOVAL_MS)).catch(() => undefined);
    }
    await this.#lease.release();
  }

  get #name(): Pick<RecoveryPoint, "vm" | "id"> {
    return { vm: this.#vm, id: this.id };
  }

  async #takeDisk(
    source: DiskSource,
    { base: basePoint, buffers, onProgress }: TakeDisksOptions,
    signal: AbortSignal,
  ): Promise<DiskRecord> {
    const { disk, mode, reason } = source;
    const blockBytes = this.#blockBytes;
    const base = mode === "full" ? undefined : await this.#openBase(basePoint, disk, signal);
    let draft: ImageDraft | undefined;
    try {
      draft = await this.#createDraft(source, base, signal);
      const sink = new ImageDisk({ source, draft, base, blockBytes });
      const baseDisk = base && baseDiskOf(base, blockBytes);
      const stats = await backupDisk({ source, sink, base: baseDisk, blockBytes, buffers, onProgress, signal });
      await draft.commit(signal);
      return { disk, mode, reason, blockMap: null, stats };
    } finally {
      await draft?.abort();
      await base?.close();
    }
  }

  async #openBase(
    point: RecoveryPoint | undefined,
    { id }: Disk,
    signal: AbortSignal,
  ): Promise<StoredImage | undefined> {
    const record = point?.disks.find(({ disk }) => disk.id === id);
    return point && record && (await this.#catalog.openImage(point, record, signal));
  }

  async #createDraft({ disk }: DiskSource, base: StoredImage | undefined, signal: AbortSignal): Promise<ImageDraft> {
    const key = this.#catalog.keyOfImage(this.#name, disk.id);
    const options = { logicalBytes: disk.logicalBytes, signal };
    if (base === undefined) return await this.#catalog.images.create(key, options);
    try {
      return await this.#catalog.images.create(key, { ...options, from: base.key });
    } catch (cause) {
      if (!(cause instanceof ObjectNotFoundError)) throw cause;
      throw new IntegrityError(`the image of disk ${disk.alias} of the base is gone`, { cause });
    }
  }
}
