import {
  type DiskReader,
  type DiskRecord,
  type ImageStore,
  type MachineIdentity,
  machineKey,
  NotFoundError,
  type ObjectKey,
  type RecoveryPoint,
} from "@ovault/contract";
import type { MachinePointListing, OpenDiskOptions, PointCatalog, PointListing, PointStore } from "@ovault/core";

const MANIFEST = "manifest";

/** Points on an image store: an image for each disk, and one with the manifest, which is written last. */
export class ImagePoints implements Pick<PointStore, "points" | "openDisk" | "close">, PointCatalog {
  readonly points: PointCatalog = this;
  readonly #images: ImageStore;

  constructor(images: ImageStore) {
    this.#images = images;
  }

  static keyOf(point: Pick<RecoveryPoint, "id">, what: string): ObjectKey {
    return `points/${point.id}/${what}`;
  }

  async openDisk(point: RecoveryPoint, { disk }: DiskRecord, { signal }: OpenDiskOptions): Promise<DiskReader> {
    return await this.#images.open(ImagePoints.keyOf(point, disk.id), { signal });
  }

  async seal(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    const manifest = Buffer.from(JSON.stringify(point));
    const draft = await this.#images.create(ImagePoints.keyOf(point, MANIFEST), {
      logicalBytes: manifest.byteLength,
      signal,
    });
    await draft.write(0, manifest, signal);
    await draft.commit(signal);
  }

  async list(signal: AbortSignal): Promise<PointListing> {
    const points: RecoveryPoint[] = [];
    for await (const { key, logicalBytes } of this.#images.list("points/", { signal })) {
      if (!key.endsWith(`/${MANIFEST}`)) continue;
      const manifest = Buffer.alloc(logicalBytes);
      const image = await this.#images.open(key, { signal });
      await image.readInto(0, manifest, signal);
      await image.close();
      points.push(JSON.parse(manifest.toString()));
    }
    return { points, damaged: [] };
  }

  async listOf(machine: MachineIdentity, signal: AbortSignal): Promise<MachinePointListing> {
    const { points, damaged } = await this.list(signal);
    return { points: points.filter(({ vm }) => machineKey(vm) === machineKey(machine)), damaged, unclaimed: [] };
  }

  async newest(signal: AbortSignal): Promise<ReadonlyMap<string, RecoveryPoint>> {
    return new Map((await this.list(signal)).points.map((point) => [machineKey(point.vm), point]));
  }

  async find(idOrPrefix: string, signal: AbortSignal): Promise<RecoveryPoint> {
    const found = (await this.list(signal)).points.find(({ id }) => id.startsWith(idOrPrefix));
    if (found === undefined) throw new NotFoundError(`no recovery point ${idOrPrefix}`);
    return found;
  }

  async nextId(machine: MachineIdentity, now: Date, signal: AbortSignal): Promise<string> {
    const { points } = await this.listOf(machine, signal);
    return `${now.toISOString()}-${points.length}`;
  }

  async forget(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    for (const what of [MANIFEST, ...point.disks.map(({ disk }) => disk.id)]) {
      await this.#images.delete(ImagePoints.keyOf(point, what), { signal });
    }
  }

  async close(): Promise<void> {
    await this.#images.close();
  }
}
