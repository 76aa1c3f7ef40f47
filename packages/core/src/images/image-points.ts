import {
  type DiskReader,
  type DiskRecord,
  type DiskTarget,
  type ImageStore,
  IntegrityError,
  type MachineIdentity,
  messageOf,
  type RecoveryPoint,
  type VirtualMachine,
} from "@ovault/contract";
import { DEFAULT_BLOCK_BYTES } from "../format/settings.ts";
import { lossesByMark } from "../losses/losses-by-mark.ts";
import { LostMarks } from "../losses/lost-marks.ts";
import type { RestoreTotals } from "../pipeline/restore-in-lanes.ts";
import type { DiskLosses, LostRange } from "../points/lost-ranges.ts";
import type { ManagerNames } from "../points/manager-names.ts";
import type { FoundBase, OpenDiskOptions, PointStore, RestoreDiskOptions } from "../points/point-store.ts";
import type { HoldPointOptions, PointHold } from "../points/point-hold.ts";
import type { BeginPointOptions, PointWriter } from "../points/point-writer.ts";
import { ImageCatalog } from "./image-catalog.ts";
import { identifyPlace } from "./identify-place.ts";
import { ImagePointWriter } from "./image-point-writer.ts";
import { restoreImage } from "./restore-image.ts";

export interface ImagePointsOptions {
  /** Former names of managers, to match points with machines. */
  readonly managers?: ManagerNames;
  /** Size of the blocks that disks are read in. */
  readonly blockBytes?: number;
}

/**
 * Recovery points on an image store: an image for each disk, manifests and leases beside them. Every image is whole,
 * and an increment shares what is unchanged with the image of its base, as far as the store can.
 */
export class ImagePoints implements PointStore {
  readonly kind = "images";
  readonly points: ImageCatalog;
  readonly blockBytes: number;

  constructor(images: ImageStore, { managers, blockBytes = DEFAULT_BLOCK_BYTES }: ImagePointsOptions = {}) {
    this.points = new ImageCatalog(images, managers);
    this.blockBytes = blockBytes;
  }

  async identify(signal: AbortSignal): Promise<string> {
    return await identifyPlace(this.points.place.store, signal);
  }

  async findBase(machine: MachineIdentity, signal: AbortSignal): Promise<FoundBase> {
    const { points, ...found } = await this.points.listOf(machine, signal);
    return { ...found, base: points.at(-1) };
  }

  /** What verify has marked, and images that are gone. Reads no data. */
  async lossesOfBase(base: RecoveryPoint, signal: AbortSignal): Promise<readonly DiskLosses[]> {
    const losses = [...lossesByMark(await LostMarks.read(this.points.place, signal, base), base)];
    const marked = new Set(losses.map(({ disk }) => disk));
    for (const record of base.disks.filter(({ disk }) => !marked.has(disk.id))) {
      try {
        await (await this.points.openImage(base, record, signal)).close();
      } catch (error) {
        if (!(error instanceof IntegrityError)) throw error;
        const { id: disk, alias } = record.disk;
        losses.push({ disk, alias, lostBytes: record.stats.logicalBytes, ranges: [wholeOf(record, error)] });
      }
    }
    return losses;
  }

  async beginPoint(vm: VirtualMachine, options: BeginPointOptions): Promise<PointWriter> {
    return await ImagePointWriter.begin(this.points, vm, { ...options, blockBytes: this.blockBytes });
  }

  async hold(point: RecoveryPoint, options: HoldPointOptions): Promise<PointHold> {
    return await this.points.hold(point, options);
  }

  async openDisk(point: RecoveryPoint, record: DiskRecord, { signal }: OpenDiskOptions): Promise<DiskReader> {
    return await this.points.openImage(point, record, signal);
  }

  async restoreDisk(
    point: RecoveryPoint,
    record: DiskRecord,
    target: DiskTarget,
    options: RestoreDiskOptions,
  ): Promise<RestoreTotals> {
    const { onLost, signal } = options;
    const { logicalBytes } = record.stats;
    let image: DiskReader;
    try {
      image = await this.points.openImage(point, record, signal);
    } catch (error) {
      if (onLost === undefined || !(error instanceof IntegrityError)) throw error;
      onLost(wholeOf(record, error));
      await target.zero(0, logicalBytes, signal);
      await target.flush(signal);
      return { doneBytes: logicalBytes, writtenBytes: 0 };
    }
    try {
      return await restoreImage(image, target, options);
    } finally {
      await image.close();
    }
  }

  async close(): Promise<void> {
    await this.points.images.close();
  }
}

function wholeOf({ stats }: DiskRecord, error: Error): LostRange {
  return { offset: 0, length: stats.logicalBytes, reason: messageOf(error) };
}
