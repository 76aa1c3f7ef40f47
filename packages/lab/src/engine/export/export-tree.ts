import type { NfsClient } from "../../nfs/nfs-client.ts";
import { NfsFailure } from "../../nfs/nfs-failure.ts";
import { conflict, EngineFault } from "../engine-fault.ts";
import type { ExportDomainState } from "../engine-state.ts";
import { readDomainMetadata, writeDomainMetadata, type DomainMetadata } from "./domain-metadata.ts";
import { readVolumeMetadata, unusableVolume, writeVolumeMetadata, type ExportedVolume } from "./volume-metadata.ts";

const VDSM = 36;
const [DIRECTORY_MODE, FILE_MODE, VOLUME_MODE] = [0o755, 0o644, 0o660];
const METADATA = "dom_md/metadata";

type Domain = Pick<ExportDomainState, "id" | "name" | "address" | "path">;

/** The tree of an export domain (format v1), as hosts keep it on an NFS export. */
export class ExportTree {
  readonly #nfs: NfsClient;
  readonly #domain: Domain;

  constructor(nfs: NfsClient, domain: Domain) {
    this.#nfs = nfs;
    this.#domain = domain;
  }

  /** The export domain that lies on an export already and can be read. */
  static async find(nfs: NfsClient): Promise<DomainMetadata | undefined> {
    for (const name of await nfs.list("/")) {
      try {
        const found = readDomainMetadata(await nfs.readText(`/${name}/${METADATA}`));
        if (found.domainClass === "Backup" && found.id === name) return found;
      } catch (error) {
        if (!(error instanceof NfsFailure) && !(error instanceof EngineFault)) throw error;
      }
    }
    return undefined;
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
    for (const name of await this.#nfs.list("/")) {
      if (await this.#exists(`/${name}/dom_md`)) {
        throw refusedExport(
          "Error in creating a Storage Domain. The selected storage path is not empty (probably contains another Storage Domain).",
        );
      }
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
    const draft = `${this.#root}/${METADATA}.new`;
    await this.#nfs.writeText(draft, writeDomainMetadata(this.#domain, poolId), FILE_MODE);
    await this.#nfs.rename(draft, `${this.#root}/${METADATA}`);
  }

  /**
   * Checks the metadata as a host does before it uses the domain.
   * @throws EngineFault 409
   */
  async check(): Promise<DomainMetadata> {
    const text = await this.#nfs.readText(`${this.#root}/${METADATA}`).catch((error: unknown) => {
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
      if (await this.#exists(ovfIn(this.#root, id))) found.push(id);
    }
    return found;
  }

  readOvf(vmId: string): Promise<string> {
    return this.#nfs.readText(ovfIn(this.#root, vmId));
  }

  /** Write it last: a machine with an OVF is complete. */
  async writeOvf(vmId: string, ovf: string): Promise<void> {
    const directory = `${this.#root}/master/vms/${vmId}`;
    if (!(await this.#exists(directory))) await this.#nfs.mkdir(directory, DIRECTORY_MODE);
    await this.#nfs.writeText(`${directory}/${vmId}.ovf`, ovf, FILE_MODE);
  }

  /** Its OVF first, so that no half of a machine shows. */
  async removeVm(vmId: string, imageIds: readonly string[]): Promise<void> {
    await this.#nfs.remove(`${this.#root}/master/vms/${vmId}`);
    for (const imageId of imageIds) await this.removeImage(imageId);
  }

  hasImage(imageId: string): Promise<boolean> {
    return this.#exists(`${this.#root}/images/${imageId}`);
  }

  async removeImage(imageId: string): Promise<void> {
    await this.#nfs.remove(`${this.#root}/images/${imageId}`);
  }

  /** Removes the whole domain. */
  async format(): Promise<void> {
    await this.#nfs.remove(this.#root);
  }

  /** The volume is illegal until all its data lies there. */
  async writeVolume(volume: ExportedVolume, source: string, isTop: boolean): Promise<void> {
    const directory = `${this.#root}/images/${volume.imageId}`;
    if (!(await this.#exists(directory))) await this.#nfs.mkdir(directory, DIRECTORY_MODE);
    const path = `${directory}/${volume.volumeId}`;
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
    const path = `${this.#root}/images/${imageId}/${volumeId}`;
    const text = await this.#nfs.readText(`${path}.meta`).catch(() => {
      throw unusableVolume(imageId, volumeId, "has no metadata");
    });
    if (!(await this.#exists(path))) throw unusableVolume(imageId, volumeId, "does not exist");
    return readVolumeMetadata(text, { domainId: this.#domain.id, imageId, volumeId });
  }

  readVolume(volume: ExportedVolume, target: string): Promise<void> {
    return this.#nfs.download(`${this.#root}/images/${volume.imageId}/${volume.volumeId}`, target);
  }

  get #root(): string {
    return `/${this.#domain.id}`;
  }

  async #exists(path: string): Promise<boolean> {
    try {
      await this.#nfs.stat(path);
      return true;
    } catch (error) {
      if (error instanceof NfsFailure && ["ENOENT", "ENOTDIR"].includes(error.systemCode)) return false;
      throw error;
    }
  }
}

function ovfIn(root: string, vmId: string): string {
  return `${root}/master/vms/${vmId}/${vmId}.ovf`;
}

function refusedAccess(more: string): Error {
  return refusedExport(
    `Permission settings on the specified path do not allow access to the storage. Verify permission settings on the specified storage path.${more}`,
  );
}

function refusedExport(reason: string): Error {
  return conflict(`Cannot use Storage Domain. ${reason}`);
}
