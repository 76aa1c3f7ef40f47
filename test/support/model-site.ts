import type { ObjectStore, RecoveryPoint } from "@ovault/contract";
import { backupVirtualMachine, type Ledger, restoreVirtualMachine } from "@ovault/core";
import { applyChanges, MemoryStore, type ModelDisk, ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { restoredBytes } from "@ovault/test-support/repository/take-point";

/** Bytes by the id of the disk. */
export type Images = ReadonlyMap<string, Uint8Array>;

export interface Inspection {
  readonly points: readonly RecoveryPoint[];
  /** Disks of points. */
  readonly differing: readonly string[];
}

const { signal: never } = new AbortController();
const BLOCK_BYTES = 512;

/**
 * A virtual machine with two disks on a platform in memory, and a repository of tiny blocks in memory with points of
 * it. It knows the expected content of every point.
 */
export class ModelSite {
  readonly store: MemoryStore;
  readonly platform: ModelPlatform;
  readonly #ledger: Ledger;
  readonly #images = new Map<string, Images>();

  private constructor(store: MemoryStore, platform: ModelPlatform, ledger: Ledger) {
    this.store = store;
    this.platform = platform;
    this.#ledger = ledger;
  }

  /** With a full point and an increment; the disks have changed since. */
  static async prepare(ledger: Ledger): Promise<ModelSite> {
    const site = new ModelSite(new MemoryStore(), new ModelPlatform(), ledger);
    await smallRepository(site.store, BLOCK_BYTES);
    for (const [id, bytes] of Object.entries({ a: 2000, b: 900 })) site.platform.disks.set(id, diskOf(bytes));
    for (const seed of [11, 22]) {
      const point = await site.backUp(site.store);
      site.#images.set(point.id, site.now());
      site.#write(seed);
    }
    return site;
  }

  /** The same, with a store and a platform of its own. */
  copy(): ModelSite {
    const site = new ModelSite(new MemoryStore(), this.platform.copy(), this.#ledger);
    for (const [key, bytes] of this.store.objects) site.store.objects.set(key, bytes);
    for (const [id, images] of this.#images) site.#images.set(id, images);
    return site;
  }

  /** The points it began with, oldest first. */
  get points(): readonly string[] {
    return [...this.#images.keys()];
  }

  /** The disks as they are. */
  now(): Images {
    return new Map([...this.platform.disks].map(([id, { bytes }]) => [id, bytes]));
  }

  async backUp(store: ObjectStore, { full = false } = {}): Promise<RecoveryPoint> {
    return await backupVirtualMachine({
      vm: this.platform.vm(),
      strategy: new ModelStrategy(this.platform),
      store: await reopen(store),
      ledger: this.#ledger,
      full,
      excludeDisks: [],
      taps: [],
      ifBusy: "refuse",
      signal: never,
    });
  }

  /** Restores a point as a new machine. Answers with the point. */
  async restore(store: ObjectStore, pointId: string): Promise<RecoveryPoint> {
    const repository = await reopen(store);
    const point = await repository.points.find(pointId, never);
    const how = { name: "restored", networks: new Map<string, string>(), mac: "new", start: false } as const;
    await restoreVirtualMachine({
      request: { point, disks: point.disks, ...how },
      store: repository,
      strategy: new ModelStrategy(this.platform),
      manager: "model",
      ledger: this.#ledger,
      taps: [],
      signal: never,
    });
    return point;
  }

  /**
   * All points, oldest first, and the differences of the last `count` from their expected content: for an unknown
   * point, the current state of the machine. Throws when a manifest is damaged.
   */
  async inspect(count = Number.POSITIVE_INFINITY): Promise<Inspection> {
    const repository = await reopen(this.store);
    const { points, damaged } = await repository.points.list(never);
    for (const { error } of damaged) throw error;
    const differing: string[] = [];
    for (const point of points.slice(-count)) {
      const images = this.#images.get(point.id) ?? this.now();
      for (const [index, { disk }] of point.disks.entries()) {
        const bytes = await restoredBytes(repository, point, index);
        if (!sameBytes(bytes, images.get(disk.id))) differing.push(`disk ${disk.id} of ${point.id}`);
      }
    }
    return { points, differing };
  }

  /** Disks that were restored as new machines and are not as the point must be. */
  restoredDiffering(pointId: string): readonly string[] {
    const images = this.#images.get(pointId) ?? new Map<string, Uint8Array>();
    const restored = new Map(this.platform.restored.map(({ diskId, bytes }) => [diskId, bytes]));
    return [...images].flatMap(([id, bytes]) => (sameBytes(bytes, restored.get(id)) ? [] : [id]));
  }

  #write(seed: number): void {
    for (const [id, disk] of this.platform.disks) {
      const changes = [{ at: 0.4, length: 700, seed }];
      this.platform.disks.set(id, applyChanges(disk, { changes, grownBy: 0 }));
    }
  }
}

/** Data, zeros and blocks that repeat. */
function diskOf(length: number): ModelDisk {
  const bytes = Uint8Array.from({ length }, (_, at) => (at % 1500 < 600 ? 0 : (at >> 5) & 0x3f));
  return { bytes, extents: [{ offset: 0, length, kind: "data" }] };
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}
