import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { DiskRecord } from "../hypervisor/disk-tree.ts";
import { HypervisorError } from "../hypervisor/errors.ts";
import type { HostNetwork } from "../nfs/host-network.ts";
import { NfsClient, type NfsPlace } from "../nfs/nfs-client.ts";
import { NfsFailure } from "../nfs/nfs-failure.ts";
import { NfsLink } from "../nfs/nfs-link.ts";
import { AREA_BYTES, newResource } from "./sanlock-records.ts";
import { readVolumeMetadata, writeVolumeMetadata, type DataVolume } from "./volume-metadata.ts";

const [DIRECTORY_MODE, FILE_MODE, VOLUME_MODE] = [0o755, 0o644, 0o660];
const VDSM = 36;
/** How long the inventory waits for sizes before it shows those that it knows. */
const PATIENCE_MS = 1000;
/** `QFI\xfb`, and where a QCOW2 header has the size of the disk. */
const [QCOW2_MAGIC, SIZE_AT] = [0x51_46_49_fb, 24];

/** Where a data domain lies. */
export interface NfsDomain extends NfsPlace {
  readonly id: string;
  /** Of its format: 5 is `v5`. */
  readonly version: number;
}

interface Usage {
  readonly actualBytes: number;
  readonly fileBytes: number;
}

/** The volumes of a data domain on an NFS export: opened by QEMU's NFS driver, kept in order through a client. */
export class NfsVolumes {
  readonly #domain: NfsDomain;
  readonly #address: string;
  readonly #link: NfsLink;
  readonly #usage = new Map<string, Usage>();
  #client: Promise<NfsClient> | undefined;

  /** @param sockets - a directory for the way of QEMU to the server */
  static async open(domain: NfsDomain, network: HostNetwork, sockets: string): Promise<NfsVolumes> {
    const socket = join(sockets, `nfs-${domain.id.slice(0, 8)}-${Date.now()}`);
    const link = await NfsLink.listen(domain, socket);
    try {
      return new NfsVolumes(domain, link, await network.serve(socket));
    } catch (error) {
      link.close();
      throw error;
    }
  }

  private constructor(domain: NfsDomain, link: NfsLink, address: string) {
    this.#domain = domain;
    this.#link = link;
    this.#address = address;
  }

  get domainId(): string {
    return this.#domain.id;
  }

  /** As QEMU opens it in the network of the host. */
  url(diskId: string, volumeId: string): string {
    const path = encodeURI(`${this.#domain.path}${this.#image(diskId)}/${volumeId}`);
    return `nfs://${this.#address}${path}`;
  }

  async makeDirectory(diskId: string): Promise<void> {
    await this.#with(async (nfs) => {
      await nfs.remove(this.#image(diskId)); // what a move left that was cut off
      await nfs.mkdir(this.#image(diskId), DIRECTORY_MODE);
    });
  }

  async removeDirectory(diskId: string): Promise<void> {
    await this.#with((nfs) => nfs.remove(this.#image(diskId)));
  }

  async remove(diskId: string, volumeId: string): Promise<void> {
    const path = `${this.#image(diskId)}/${volumeId}`;
    await this.#with(async (nfs) => {
      for (const suffix of ["", ".meta", ".lease"]) await nfs.remove(`${path}${suffix}`);
    });
  }

  /** Space and length of a file; the last known while the server does not answer. */
  async usage(diskId: string, volumeId: string): Promise<Usage> {
    const path = `${this.#image(diskId)}/${volumeId}`;
    const asked = this.#with((nfs) => nfs.stat(path)).then(({ bytes, used }) => {
      const usage = { actualBytes: used, fileBytes: bytes };
      this.#usage.set(path, usage);
      return usage;
    });
    const known = (): Usage => this.#usage.get(path) ?? { actualBytes: 0, fileBytes: 0 };
    const late = sleep(PATIENCE_MS, undefined, { ref: false }).then(known);
    return Promise.race([asked.catch(known), late]);
  }

  /** Writes the `.meta` of each volume of a disk as it is now, and the `.lease` of those that have none. */
  async describe({ diskId, volumes }: DiskRecord): Promise<void> {
    await this.#with(async (nfs) => {
      const names = await nfs.list(this.#image(diskId));
      for (const [index, { volumeId, format, virtualBytes = 0, sparse = true }] of volumes.entries()) {
        const path = `${this.#image(diskId)}/${volumeId}`;
        const isNew = !names.includes(`${volumeId}.meta`);
        const before = isNew ? undefined : readVolumeMetadata(await nfs.readText(`${path}.meta`), volumeId);
        const described: DataVolume = {
          diskId,
          volumeId,
          parentId: volumes[index - 1]?.volumeId,
          format,
          sparse,
          virtualBytes,
          description: before?.description ?? JSON.stringify({ DiskAlias: diskId, DiskDescription: "" }),
          isLeaf: index === volumes.length - 1,
          isLegal: true,
          type: before?.type ?? "DATA",
          domainId: this.#domain.id,
        };
        await nfs.writeText(`${path}.meta`, writeVolumeMetadata(described, this.#domain.version), FILE_MODE);
        if (names.includes(`${volumeId}.lease`)) continue;
        await nfs.make(`${path}.lease`, AREA_BYTES, VOLUME_MODE);
        await nfs.writeAt(`${path}.lease`, 0, newResource(this.#domain.id, volumeId));
      }
    });
  }

  /** All volumes whose `.meta` can be read, of all disks but those under removal. */
  async list(): Promise<readonly DataVolume[]> {
    const root = `/${this.#domain.id}/images`;
    return this.#with(async (nfs) => {
      const volumes: DataVolume[] = [];
      for (const diskId of (await nfs.list(root)).filter((name) => !name.startsWith("_remove_me_"))) {
        const names = (await nfs.list(`${root}/${diskId}`)).filter((name) => name.endsWith(".meta"));
        for (const name of names) {
          const text = await nfs.readText(`${root}/${diskId}/${name}`);
          const volume = readVolumeMetadata(text, name.slice(0, -".meta".length));
          if (volume?.diskId === diskId && volume.domainId === this.#domain.id) volumes.push(volume);
        }
      }
      return volumes;
    });
  }

  /**
   * Checks files of volumes as a host does before it copies them: owner, size, and the lease that the job takes.
   * @throws HypervisorError
   */
  async check(volumes: readonly Pick<DataVolume, "diskId" | "volumeId" | "format" | "virtualBytes">[]): Promise<void> {
    await this.#with(async (nfs) => {
      for (const { diskId, volumeId, format, virtualBytes } of volumes) {
        const path = `${this.#image(diskId)}/${volumeId}`;
        const refuse = (why: string): HypervisorError =>
          new HypervisorError(`volume ${diskId}/${volumeId} ${why}`, { context: { diskId, volumeId } });
        const { uid, gid, bytes } = await nfs.stat(path);
        if (uid !== VDSM || gid !== VDSM) throw refuse(`belongs to ${uid}:${gid}, not to ${VDSM}:${VDSM}`);
        await nfs.stat(`${path}.lease`).catch(() => Promise.reject(refuse("has no lease")));
        const shown = format === "raw" ? bytes : await sizeInHeader(nfs, path);
        if (shown !== virtualBytes) throw refuse(`shows ${shown} bytes where its metadata has ${virtualBytes}`);
      }
    });
  }

  /** Lets go of the server; the next use mounts again. */
  async rest(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    client?.close();
  }

  async close(): Promise<void> {
    await this.rest();
    this.#link.close();
  }

  #image(diskId: string): string {
    return `/${this.#domain.id}/images/${diskId}`;
  }

  /** A client that failed is replaced: the server may have come back. */
  async #with<T>(work: (nfs: NfsClient) => Promise<T>): Promise<T> {
    this.#client ??= NfsClient.open(this.#domain);
    const client = this.#client;
    try {
      return await work(await client);
    } catch (error) {
      if (error instanceof NfsFailure && error.systemCode !== "ENOENT" && this.#client === client) await this.rest();
      throw error;
    }
  }
}

async function sizeInHeader(nfs: NfsClient, path: string): Promise<number | undefined> {
  const header = await nfs.readAt(path, 0, SIZE_AT + 8);
  if (header.length < SIZE_AT + 8 || header.readUInt32BE(0) !== QCOW2_MAGIC) return undefined;
  return Number(header.readBigUInt64BE(SIZE_AT));
}
