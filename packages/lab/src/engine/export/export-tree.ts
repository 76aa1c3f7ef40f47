import type { NfsClient } from "../../nfs/nfs-client.ts";
import { conflict } from "../engine-fault.ts";
import type { ExportDomainState } from "../engine-state.ts";
import { DIRECTORY_MODE, DomainFiles, FILE_MODE, VDSM, VOLUME_MODE } from "./domain-files.ts";
import { readDomainMetadata, writeDomainMetadata, type DomainMetadata } from "./domain-metadata.ts";
import { readVolumeMetadata, unusableVolume, writeVolumeMetadata, type ExportedVolume } from "./volume-metadata.ts";

type Domain = Pick<ExportDomainState, "id" | "name" | "address" | "path">;

/** The tree of an export domain (format v1), as hosts keep it on an NFS export. */
export class ExportTree {
  readonly #nfs: NfsClient;
  readonly #domain: Domain;
  readonly #files: DomainFiles;

  constructor(nfs: NfsClient, domain: Domain) {
    this.#nfs = nfs;
    this.#domain = domain;
    this.#files = new DomainFiles(nfs, domain.id);
  }

  /** The export domain that lies on an export already. */
  static find(nfs: NfsClient): Promise<DomainMetadata | undefined> {
    return DomainFiles.find(nfs, "Backup");
  }

  /**
   * Checks the export as a host does, and makes the tree. Leaves the file of the check, as vdsm does (fileSD.py).
   * @throws EngineFault 409
   */
  async create(): Promise<void> {
    const { uid, gid } = await this.#nfs.stat("/");
    if (uid !== VDSM || gid !== VDSM) throw refusedAccess("");
    await this.#nfs
      .writeText("/__DIRECT_IO_TEST__", "", FILE_MODE)
      .catch((error: unknown) => Promise.reject(refusedAccess(` ${String(error)}`)));
    if (await DomainFiles.isTaken(this.#nfs)) {
      throw refusedExport(
        "Error in creating a Storage Domain. The selected storage path is not empty (probably contains another Storage Domain).",
      );
    }
    for (const path of ["", "/dom_md", "/images", "/master", "/master/vms", "/master/tasks"]) {
      await this.#nfs.mkdir(`${this.#root}${path}`, DIRECTORY_MODE);
    }
    for (const name of ["ids", "inbox", "leases", "outbox"]) {
      await this.#nfs.writeText(`${this.#root}/dom_md/${name}`, "", VOLUME_MODE);
    }
    await this.writeMetadata(undefined);
  }

  /** Replaces the metadata. `poolId`: the data centre it is attached to. */
  async writeMetadata(poolId: string | undefined): Promise<void> {
    await this.#files.replaceMetadata(writeDomainMetadata(this.#domain, poolId));
  }

  /**
   * Checks the metadata as a host does before it uses the domain.
   * @throws EngineFault 409
   */
  async check(): Promise<DomainMetadata> {
    const text = await this.#files.readMetadata().catch((error: unknown) => {
      throw refusedExport(`Storage domain does not exist: (${this.#domain.id},). ${String(error)}`);
    });
    const metadata = readDomainMetadata(text);
    if (metadata.id !== this.#domain.id) throw refusedExport(`Storage domain does not exist: (${this.#domain.id},).`);
    return metadata;
  }

  /** Ids of the machines, which are those with an OVF. */
  async vmIds(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const id of await this.#nfs.list(`${this.#root}/master/vms`)) {
      if (await this.#files.exists(ovfOf(id))) found.push(id);
    }
    return found;
  }

  readOvf(vmId: string): Promise<string> {
    return this.#nfs.readText(this.#root + ovfOf(vmId));
  }

  /** Write it last: a machine with an OVF is complete. */
  async writeOvf(vmId: string, ovf: string): Promise<void> {
    await this.#makeDirectory(`/master/vms/${vmId}`);
    await this.#nfs.writeText(this.#root + ovfOf(vmId), ovf, FILE_MODE);
  }

  /** Its OVF first, so that no half of a machine shows. */
  async removeVm(vmId: string, imageIds: readonly string[]): Promise<void> {
    await this.#nfs.remove(`${this.#root}/master/vms/${vmId}`);
    for (const imageId of imageIds) await this.removeImage(imageId);
  }

  hasImage(imageId: string): Promise<boolean> {
    return this.#files.exists(`/images/${imageId}`);
  }

  async removeImage(imageId: string): Promise<void> {
    await this.#nfs.remove(`${this.#root}/images/${imageId}`);
  }

  /** Removes the whole domain. */
  async format(): Promise<void> {
    await this.#files.format();
  }

  /** The volume is illegal until all its data lies there. */
  async writeVolume(volume: ExportedVolume, source: string, isTop: boolean): Promise<void> {
    const directory = `/images/${volume.imageId}`;
    await this.#makeDirectory(directory);
    const path = `${this.#root}${directory}/${volume.volumeId}`;
    const role = { domainId: this.#domain.id, isTop };
    await this.#nfs.writeText(`${path}.meta`, writeVolumeMetadata(volume, { ...role, isLegal: false }), FILE_MODE);
    await this.#nfs.upload(path, source, VOLUME_MODE);
    await this.#nfs.writeText(`${path}.meta`, writeVolumeMetadata(volume, { ...role, isLegal: true }), FILE_MODE);
  }

  /**
   * Reads the description of a volume as a host does.
   * @throws EngineFault 409 for one that cannot be used
   */
  async volume(imageId: string, volumeId: string): Promise<ExportedVolume> {
    const path = `/images/${imageId}/${volumeId}`;
    const text = await this.#nfs.readText(`${this.#root}${path}.meta`).catch(() => {
      throw unusableVolume(imageId, volumeId, "has no metadata");
    });
    if (!(await this.#files.exists(path))) throw unusableVolume(imageId, volumeId, "does not exist");
    return readVolumeMetadata(text, { domainId: this.#domain.id, imageId, volumeId });
  }

  readVolume(volume: ExportedVolume, target: string): Promise<void> {
    return this.#nfs.download(`${this.#root}/images/${volume.imageId}/${volume.volumeId}`, target);
  }

  async #makeDirectory(path: string): Promise<void> {
    if (!(await this.#files.exists(path))) await this.#nfs.mkdir(this.#root + path, DIRECTORY_MODE);
  }

  get #root(): string {
    return this.#files.root;
  }
}

/** Below the domain. */
function ovfOf(vmId: string): string {
  return `/master/vms/${vmId}/${vmId}.ovf`;
}

function refusedAccess(more: string): Error {
  return refusedExport(
    `Permission settings on the specified path do not allow access to the storage. Verify permission settings on the specified storage path.${more}`,
  );
}

function refusedExport(reason: string): Error {
  return conflict(`Cannot use Storage Domain. ${reason}`);
}
