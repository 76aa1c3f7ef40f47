import type { NfsClient } from "../../nfs/nfs-client.ts";
import { NfsFailure } from "../../nfs/nfs-failure.ts";
import { badRequest } from "../engine-fault.ts";
import type { DataDomainState } from "../engine-state.ts";
import { DIRECTORY_MODE, DomainFiles, FILE_MODE, VDSM, VOLUME_MODE } from "../export/domain-files.ts";
import { readDomainMetadata, type DomainMetadata } from "../export/domain-metadata.ts";
import { versionOf, writeDataDomainMetadata } from "./data-domain-metadata.ts";
import { newLeaseIndex } from "../../data-domain/lease-index.ts";
import {
  AREA_BYTES,
  isLockspaceSlot,
  newLockspace,
  newResource,
  SECTOR_BYTES,
} from "../../data-domain/sanlock-records.ts";

const SHARED_MODE = 0o775;
const MAILBOX_BYTES = 16 * 1024 * 1024;
/** File whose writing proves direct I/O; hosts leave it there (fileSD.py of vdsm). */
const DIRECT_IO_TEST = "/__DIRECT_IO_TEST__";

type Domain = Pick<DataDomainState, "id" | "name" | "address" | "path" | "format">;

/** The tree of a data domain on an NFS export, as a host makes it, checks it and removes it (fileSD.py, nfsSD.py). */
export class DataTree {
  readonly #nfs: NfsClient;
  readonly #domain: Domain;
  readonly #files: DomainFiles;

  constructor(nfs: NfsClient, domain: Domain) {
    this.#nfs = nfs;
    this.#domain = domain;
    this.#files = new DomainFiles(nfs, domain.id);
  }

  /** The data domain that lies on an export already. */
  static find(nfs: NfsClient): Promise<DomainMetadata | undefined> {
    return DomainFiles.find(nfs, "Data");
  }

  /**
   * What a host checks as it connects: vdsm (36:36) may read, write and enter, others at least read and enter, and
   * aligned writes are kept.
   * @throws EngineFault 400
   */
  static async checkExport(nfs: NfsClient): Promise<void> {
    const { uid, gid, mode } = await nfs.stat("/");
    if (uid !== VDSM || gid !== VDSM || (mode & 0o700) !== 0o700 || (mode & 0o050) !== 0o050) throw refusedAccess();
    const pattern = Buffer.alloc(SECTOR_BYTES, 0xa5);
    try {
      await nfs.make(DIRECT_IO_TEST, 0, FILE_MODE);
      const made = await nfs.stat(DIRECT_IO_TEST);
      if (made.uid !== VDSM || made.gid !== VDSM) throw refusedAccess();
      await nfs.writeAt(DIRECT_IO_TEST, 0, pattern);
      if (!(await nfs.readAt(DIRECT_IO_TEST, 0, SECTOR_BYTES)).equals(pattern)) throw refusedAccess();
    } catch (error) {
      throw error instanceof NfsFailure ? refusedAccess() : error;
    }
  }

  /** Makes the tree of an empty export. @throws EngineFault 400 for one with a domain */
  async create(): Promise<void> {
    if (await DomainFiles.isTaken(this.#nfs)) {
      throw badRequest(
        "Error in creating a Storage Domain. The selected storage path is not empty (probably contains another Storage Domain). Either remove the existing Storage Domain from this path, or change the Storage path).",
      );
    }
    const { id, format } = this.#domain;
    await this.#nfs.mkdir(this.#root, DIRECTORY_MODE);
    await this.#nfs.mkdir(`${this.#root}/dom_md`, SHARED_MODE);
    await this.#nfs.mkdir(`${this.#root}/images`, DIRECTORY_MODE);
    await this.#special("ids", AREA_BYTES, newLockspace(id));
    await this.#special("leases", 2 * AREA_BYTES, newResource(id, "SDM"), AREA_BYTES);
    if (versionOf(format) >= 4) {
      const index = newLeaseIndex(id);
      await this.#special("xleases", index.length, index);
    }
    for (const name of ["inbox", "outbox"]) await this.#special(name, MAILBOX_BYTES);
    await this.writeMetadata(undefined);
  }

  /** Replaces the metadata. `poolId`: the data centre it is attached to. */
  async writeMetadata(poolId: string | undefined): Promise<void> {
    await this.#files.replaceMetadata(writeDataDomainMetadata(this.#domain, poolId));
  }

  /**
   * Checks the metadata, the owner of the tree and the lockspace, as a host does before it joins the domain.
   * @throws EngineFault 400
   */
  async check(): Promise<DomainMetadata> {
    const { id } = this.#domain;
    const missing = (): Error => badRequest(`Storage domain does not exist: ('${id}',)`);
    const text = await this.#files.readMetadata().catch(() => Promise.reject(missing()));
    const metadata = readDomainMetadata(text);
    if (metadata.id !== id || metadata.domainClass !== "Data") throw missing();
    for (const path of ["", "/images", "/dom_md", "/dom_md/ids", "/dom_md/leases", "/dom_md/inbox", "/dom_md/outbox"]) {
      const { uid, gid } = await this.#nfs.stat(`${this.#root}${path}`).catch(() => Promise.reject(missing()));
      if (uid !== VDSM || gid !== VDSM) throw refusedAccess();
    }
    if (!isLockspaceSlot(await this.#nfs.readAt(this.ids, 0, SECTOR_BYTES), id)) {
      throw badRequest("Cannot acquire host id");
    }
    return metadata;
  }

  /** Path of the lockspace, from the export down. */
  get ids(): string {
    return `${this.#root}/dom_md/ids`;
  }

  /** Removes the whole domain. */
  async format(): Promise<void> {
    await this.#files.format();
  }

  get #root(): string {
    return this.#files.root;
  }

  async #special(name: string, bytes: number, content?: Buffer, at = 0): Promise<void> {
    const path = `${this.#root}/dom_md/${name}`;
    await this.#nfs.make(path, bytes, VOLUME_MODE);
    if (content !== undefined) await this.#nfs.writeAt(path, at, content);
  }
}

function refusedAccess(): Error {
  return badRequest(
    "Permission settings on the specified path do not allow access to the storage.\nVerify permission settings on the specified storage path.",
  );
}
