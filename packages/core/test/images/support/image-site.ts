import type { ImageStore, RecoveryPoint } from "@ovault/contract";
import {
  backupVirtualMachine,
  type BackupOptions,
  FileLedger,
  ImagePoints,
  type PointStore,
  restoreVirtualMachine,
} from "@ovault/core";
import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";
import type { TakeDisksOptions } from "@ovault/core/internal/points/point-writer";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";
import { MemoryImageStore, type ModelDisk, ModelPlatform, ModelStrategy } from "@ovault/testkit";

export const never = new AbortController().signal;
/** Of disks of a few kilobytes. */
export const BLOCK_BYTES = 512;

/** For disks that a test hands to a writer itself. */
export function takeOptions(base?: RecoveryPoint): TakeDisksOptions {
  return { base, anew: false, buffers: new BufferPool(2, BLOCK_BYTES), onProgress: () => {} };
}

/** A machine of a model platform, and an image store for its points. */
export class ImageSite {
  readonly images = new MemoryImageStore();
  readonly platform = new ModelPlatform();
  readonly #ledger: FileLedger;

  private constructor(ledger: FileLedger) {
    this.#ledger = ledger;
  }

  /** @param disks by id */
  static async open(disks: Readonly<Record<string, ModelDisk>>): Promise<ImageSite> {
    const site = new ImageSite(await FileLedger.open(await temporaryDirectory()));
    for (const [id, disk] of Object.entries(disks)) site.platform.disks.set(id, disk);
    return site;
  }

  store(images: ImageStore = this.images): ImagePoints {
    return new ImagePoints(images, { blockBytes: BLOCK_BYTES });
  }

  async backUp(options: Partial<BackupOptions> = {}): Promise<RecoveryPoint> {
    return await backupVirtualMachine({
      vm: this.platform.vm(),
      strategy: new ModelStrategy(this.platform),
      store: this.store(),
      ledger: this.#ledger,
      full: false,
      excludeDisks: [],
      taps: [],
      ifBusy: "refuse",
      signal: never,
      ...options,
    });
  }

  /** Restores a point as a new machine, and answers with its disks, by id, and what was lost. */
  async restore(point: RecoveryPoint, { salvage = false, store = this.store() as PointStore } = {}) {
    const { platform } = this;
    const before = platform.restored.length;
    const { lost } = await restoreVirtualMachine({
      request: { point, disks: point.disks, name: "restored", networks: new Map(), mac: "new", start: false },
      store,
      strategy: new ModelStrategy(platform),
      manager: "model",
      ledger: this.#ledger,
      taps: [],
      salvage,
      signal: never,
    });
    const disks = Object.fromEntries(platform.restored.slice(before).map(({ diskId, bytes }) => [diskId, bytes]));
    return { disks, lost };
  }

  /** What the disks hold now, by id. */
  now(): Record<string, Uint8Array> {
    return Object.fromEntries([...this.platform.disks].map(([id, { bytes }]) => [id, bytes]));
  }

  async keysOfImages(): Promise<readonly string[]> {
    const keys: string[] = [];
    for await (const { key } of this.images.list("", { signal: never })) keys.push(key);
    return keys;
  }

  /** Keys of the images that points need. */
  async keysOfPoints(): Promise<readonly string[]> {
    const { points } = this.store();
    const { points: all } = await points.list(never);
    return all.flatMap((point) => point.disks.map(({ disk }) => points.keyOfImage(point, disk.id))).toSorted();
  }
}
