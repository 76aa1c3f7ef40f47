import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import type { NfsVolumes } from "../data-domain/nfs-volumes.ts";
import { HypervisorError } from "./errors.ts";
import type { DiskInfo, VolumeInfo } from "./hypervisor.ts";
import { readVirtualBytes } from "./virtual-size.ts";

const volumeRecord = z.strictObject({
  volumeId: z.string(),
  format: z.enum(["raw", "cow"]),
  /** Of one on an NFS server, which may be away when it is asked for; else the file says so. */
  virtualBytes: z.number().optional(),
  sparse: z.boolean().optional(),
});
const diskRecord = z.strictObject({
  diskId: z.string(),
  storageDomainId: z.string(),
  /** From the base to the active volume. */
  volumes: z.array(volumeRecord).readonly(),
});
const treeFile = z.strictObject({ disks: z.array(diskRecord) });

export type VolumeRecord = Readonly<z.infer<typeof volumeRecord>>;
export type DiskRecord = Readonly<z.infer<typeof diskRecord>>;

/** A volume with its place in the tree. */
export interface Volume extends VolumeRecord {
  /** Of a file, or a URL `nfs://`. */
  readonly path: string;
}

/** All disks and their volumes, kept in `ROOT/disks.json`; the volumes lie beside it. */
export class DiskTree {
  readonly root: string;
  #saving: Promise<unknown> = Promise.resolve();
  readonly #disks: Map<string, DiskRecord>;
  /** Domains that lie on NFS servers, by id. */
  readonly #onNfs = new Map<string, NfsVolumes>();

  private constructor(root: string, disks: readonly DiskRecord[]) {
    this.root = root;
    this.#disks = new Map(disks.map((disk) => [disk.diskId, disk]));
  }

  /** Opens the tree at `root`, or begins an empty one. */
  static async open(root: string): Promise<DiskTree> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await chmod(root, 0o700);
    const text = await readFile(join(root, "disks.json"), "utf8").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    });
    return new DiskTree(root, text === undefined ? [] : treeFile.parse(JSON.parse(text)).disks);
  }

  /** Disks of this domain lie there from now on. */
  mount(volumes: NfsVolumes): void {
    this.#onNfs.set(volumes.domainId, volumes);
  }

  /** Where the disks of a domain lie that is mounted. */
  mounted(domainId: string): NfsVolumes | undefined {
    return this.#onNfs.get(domainId);
  }

  unmount(domainId: string): void {
    this.#onNfs.delete(domainId);
  }

  get mounts(): readonly NfsVolumes[] {
    return [...this.#onNfs.values()];
  }

  list(): readonly string[] {
    return [...this.#disks.keys()];
  }

  has(diskId: string): boolean {
    return this.#disks.has(diskId);
  }

  get(diskId: string): DiskRecord {
    const disk = this.#disks.get(diskId);
    if (disk === undefined) throw new HypervisorError(`no disk ${diskId}`, { context: { diskId } });
    return disk;
  }

  /** From the base to the active volume. */
  volumes(diskId: string): readonly Volume[] {
    const disk = this.get(diskId);
    return disk.volumes.map((volume) => ({ ...volume, path: this.path(disk, volume.volumeId) }));
  }

  /** The chain up to a volume, by default the active one. Never empty. */
  chainTo(diskId: string, volumeId: string | undefined): readonly Volume[] {
    const volumes = this.volumes(diskId);
    const end = volumeId === undefined ? volumes.length - 1 : volumes.findIndex((v) => v.volumeId === volumeId);
    if (end < 0) {
      throw new HypervisorError(`disk ${diskId} has no volume ${volumeId}`, { context: { diskId } });
    }
    return volumes.slice(0, end + 1);
  }

  path(disk: Pick<DiskRecord, "diskId" | "storageDomainId">, volumeId: string): string {
    const { diskId, storageDomainId } = disk;
    return this.#onNfs.get(storageDomainId)?.url(diskId, volumeId) ?? join(this.#directory(disk), volumeId);
  }

  async info(diskId: string): Promise<DiskInfo> {
    const { storageDomainId } = this.get(diskId);
    const onNfs = this.#onNfs.get(storageDomainId);
    const chain = await Promise.all(
      this.volumes(diskId).map(async (volume) => {
        if (onNfs === undefined) return volumeInfo(volume);
        return {
          ...volume,
          virtualBytes: await virtualBytesOf(volume),
          ...(await onNfs.usage(diskId, volume.volumeId)),
        };
      }),
    );
    const active = activeOf(chain);
    return {
      diskId,
      storageDomainId,
      format: active.format,
      virtualBytes: active.virtualBytes,
      actualBytes: active.actualBytes,
      totalBytes: chain.reduce((sum, volume) => sum + volume.actualBytes, 0),
      chain,
    };
  }

  /** Makes the directory for the volumes of a new disk. Throws when the disk exists. */
  async makeDirectory(disk: Pick<DiskRecord, "diskId" | "storageDomainId">): Promise<void> {
    if (this.has(disk.diskId)) {
      throw new HypervisorError(`disk ${disk.diskId} exists already`, { context: { diskId: disk.diskId } });
    }
    await this.makePlace(disk);
  }

  /** Makes the directory for a copy of a disk on another storage domain. */
  async makePlace(disk: Pick<DiskRecord, "diskId" | "storageDomainId">): Promise<void> {
    const onNfs = this.#onNfs.get(disk.storageDomainId);
    if (onNfs !== undefined) return onNfs.makeDirectory(disk.diskId);
    await mkdir(this.#directory(disk), { recursive: true, mode: 0o700 });
  }

  async put(disk: DiskRecord): Promise<void> {
    this.#disks.set(disk.diskId, disk);
    await this.#save();
    await this.#onNfs.get(disk.storageDomainId)?.describe(disk);
  }

  /** Forgets a disk; its files stay. */
  async release(diskId: string): Promise<void> {
    this.#disks.delete(diskId);
    await this.#save();
  }

  /** Removes the file of a volume that no disk has any more. */
  async removeFile(disk: Pick<DiskRecord, "diskId" | "storageDomainId">, volumeId: string): Promise<void> {
    const onNfs = this.#onNfs.get(disk.storageDomainId);
    if (onNfs !== undefined) return onNfs.remove(disk.diskId, volumeId);
    await rm(this.path(disk, volumeId), { force: true });
  }

  async remove(diskId: string): Promise<void> {
    const disk = this.get(diskId);
    await this.release(diskId);
    await this.discard(disk);
  }

  /** Removes the files of a disk that is not, or no longer, in the tree. */
  async discard(disk: Pick<DiskRecord, "diskId" | "storageDomainId">): Promise<void> {
    const onNfs = this.#onNfs.get(disk.storageDomainId);
    if (onNfs !== undefined) return onNfs.removeDirectory(disk.diskId);
    await rm(this.#directory(disk), { recursive: true, force: true });
  }

  #directory(disk: Pick<DiskRecord, "diskId" | "storageDomainId">): string {
    return join(this.root, disk.storageDomainId, "images", disk.diskId);
  }

  /** Serializes saves: concurrent ones would share one draft. */
  #save(): Promise<void> {
    const saved = this.#saving.then(() => this.#write());
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  async #write(): Promise<void> {
    const draft = join(this.root, "disks.json.tmp");
    await writeFile(draft, `${JSON.stringify({ disks: [...this.#disks.values()] }, null, 2)}\n`, {
      flush: true,
      mode: 0o600,
    });
    await rename(draft, join(this.root, "disks.json"));
  }
}

/** The last volume of a chain, which takes writes. */
export function activeOf<T>(chain: readonly T[]): T {
  const active = chain.at(-1);
  if (active === undefined) throw new HypervisorError("a disk without volumes");
  return active;
}

async function volumeInfo(volume: Volume): Promise<VolumeInfo> {
  const [virtualBytes, file] = await Promise.all([virtualBytesOf(volume), stat(volume.path)]);
  return {
    ...volume,
    virtualBytes,
    actualBytes: file.blocks * 512,
    fileBytes: file.size,
  };
}

/** Size the guest sees. */
export async function virtualBytesOf(volume: Volume): Promise<number> {
  return volume.virtualBytes ?? readVirtualBytes(volume.path, qemuFormat(volume));
}

/** What the tree keeps of a volume. */
export function recordOf({ volumeId, format, virtualBytes, sparse }: Volume): VolumeRecord {
  return { volumeId, format, virtualBytes, sparse };
}

export function isOnNfs(path: string): boolean {
  return path.startsWith("nfs://");
}

/** QEMU's name for a volume's format. */
export function qemuFormat(volume: VolumeRecord): "qcow2" | "raw" {
  return volume.format === "cow" ? "qcow2" : "raw";
}
