import { stat } from "node:fs/promises";

import type { BlockStorage, BlockVolume } from "./block-storage.ts";
import type { DiskInfo } from "./hypervisor.ts";

/** As VDSM makes new QCOW2 volumes on block storage without an initial size. */
const CHUNK_BYTES = 1024 ** 3;
/** As VDSM adds to an initial size. */
const COW_OVERHEAD = 1.1;

/** The disks on block storage: their volumes are files for machines, and are kept the same in a BlockStorage. */
export class MirroredDisks {
  readonly #storage: BlockStorage;
  readonly #info: (diskId: string) => Promise<DiskInfo>;
  /** Volumes that the storage has, with the state of their files then, by disk and volume id. */
  readonly #written = new Map<string, Map<string, string>>();
  readonly #initialBytes = new Map<string, number>();

  constructor(storage: BlockStorage, info: (diskId: string) => Promise<DiskInfo>) {
    this.#storage = storage;
    this.#info = info;
  }

  /** Sets the size that the engine asks for the first volume of a disk. */
  setInitialBytes(diskId: string, bytes: number): void {
    this.#initialBytes.set(diskId, Math.floor(bytes * COW_OVERHEAD));
  }

  /** Writes to the storage what changed of a disk's volumes, and removes there those that are gone. */
  async push(diskId: string): Promise<void> {
    const info = await this.#info(diskId);
    const written = this.#written.get(diskId) ?? new Map<string, string>();
    this.#written.set(diskId, written);
    const volumes = this.#volumesOf(info);
    for (const { volume, path } of volumes) {
      const state = await stateOf(path);
      if (written.get(volume.volumeId) === state) continue;
      await this.#storage.write(volume, path);
      written.set(volume.volumeId, state);
    }
    const gone = [...written.keys()].filter((id) => volumes.every(({ volume }) => volume.volumeId !== id));
    for (const volumeId of gone) {
      await this.#storage.remove({ ...info, volumeId });
      written.delete(volumeId);
    }
  }

  /** Takes over what a host may have written into the active volume of a disk. */
  async pull(diskId: string): Promise<void> {
    const written = this.#written.get(diskId);
    const active = this.#volumesOf(await this.#info(diskId)).at(-1);
    if (active === undefined || written?.has(active.volume.volumeId) !== true) return;
    await this.#storage.read(active.volume, active.path);
    written.set(active.volume.volumeId, await stateOf(active.path));
  }

  async remove({ diskId, storageDomainId, chain }: DiskInfo): Promise<void> {
    for (const { volumeId } of chain.toReversed()) await this.#storage.remove({ storageDomainId, diskId, volumeId });
    this.#written.delete(diskId);
    this.#initialBytes.delete(diskId);
  }

  async use(vmId: string, diskIds: readonly string[]): Promise<void> {
    const infos = await Promise.all(diskIds.map((diskId) => this.#info(diskId)));
    const volumes = infos.flatMap((info) => this.#volumesOf(info)).map(({ volume }) => volume);
    await this.#storage.use(vmId, volumes);
  }

  /** From the base to the active one. */
  #volumesOf({ diskId, storageDomainId, chain }: DiskInfo): readonly { volume: BlockVolume; path: string }[] {
    return chain.map(({ volumeId, path, format, virtualBytes }, index) => {
      const parentId = chain[index - 1]?.volumeId;
      const initialBytes = index === 0 ? this.#initialBytes.get(diskId) : undefined;
      const bytes = format === "raw" ? virtualBytes : (initialBytes ?? CHUNK_BYTES);
      const parent = parentId !== undefined && { parentId };
      return { path, volume: { storageDomainId, diskId, volumeId, ...parent, format, virtualBytes, bytes } };
    });
  }
}

/** Differs after each write to the file. */
async function stateOf(path: string): Promise<string> {
  const { mtimeNs, size, ino } = await stat(path, { bigint: true });
  return `${ino} ${size} ${mtimeNs}`;
}
