import { createHash } from "node:crypto";

import type { NfsClient } from "../nfs/nfs-client.ts";
import { NfsFailure } from "../nfs/nfs-failure.ts";
import { conflict } from "./engine-fault.ts";
import type { ExportDomainState } from "./engine-state.ts";

/** One volume as its `.meta` describes it. */
export interface ExportedVolume {
  readonly imageId: string;
  readonly volumeId: string;
  readonly parentId: string | undefined;
  readonly format: "raw" | "cow";
  readonly sparse: boolean;
  readonly virtualBytes: number;
  readonly alias: string;
}

const NO_ID = "00000000-0000-0000-0000-000000000000";
const VDSM = 36;
const SECTOR_BYTES = 512;
const CHECKSUM = "_SHA_CKSUM";
const [DIRECTORY_MODE, FILE_MODE, VOLUME_MODE] = [0o755, 0o644, 0o660];

type Domain = Pick<ExportDomainState, "id" | "name" | "address" | "path">;

/** The tree of an export domain (format v1), as hosts keep it on an NFS export. */
export class ExportTree {
  readonly #nfs: NfsClient;
  readonly #domain: Domain;

  constructor(nfs: NfsClient, domain: Domain) {
    this.#nfs = nfs;
    this.#domain = domain;
  }

  /**
   * Checks the export as a host does, and makes the tree.
   * @throws EngineFault 409
   */
  async create(): Promise<void> {
    const { uid, gid } = await this.#nfs.stat("/");
    if (uid !== VDSM || gid !== VDSM)
      throw refusedExport(
        "Permission settings on the specified path do not allow access to the storage. Verify permission settings on the specified storage path.",
      );
    const probe = "/__DIRECT_IO_TEST__";
    await this.#nfs.writeText(probe, "", FILE_MODE).catch((error: unknown) => {
      throw refusedExport(
        `Permission settings on the specified path do not allow access to the storage. ${String(error)}`,
      );
    });
    await this.#nfs.remove(probe);
    for (const name of await this.#nfs.list("/")) {
      if (await this.#exists(`/${name}/dom_md`)) throw refusedExport(`Storage domain is not empty: ${name}.`);
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
    const { id, name, address, path } = this.#domain;
    const lines = [
      "CLASS=Backup",
      `DESCRIPTION=${name}`,
      "IOOPTIMEOUTSEC=1",
      "LEASERETRIES=3",
      "LEASETIMESEC=5",
      "LOCKPOLICY=",
      "LOCKRENEWALINTERVALSEC=5",
      `POOL_UUID=${poolId ?? ""}`,
      `REMOTE_PATH=${address}:${path}`,
      "ROLE=Regular",
      `SDUUID=${id}`,
      "TYPE=NFS",
      "VERSION=0",
    ].map(withReferences);
    const draft = `${this.#root}/dom_md/metadata.new`;
    const text = [...lines, `${CHECKSUM}=${checksumOf(lines)}`, ""].join("\n");
    await this.#nfs.writeText(draft, text, FILE_MODE);
    await this.#nfs.rename(draft, `${this.#root}/dom_md/metadata`);
  }

  /**
   * Checks the metadata as a host does before it uses the domain.
   * @throws EngineFault 409
   */
  async check(): Promise<void> {
    const text = await this.#nfs.readText(`${this.#root}/dom_md/metadata`).catch((error: unknown) => {
      throw refusedExport(`Storage domain does not exist: (${this.#domain.id},). ${String(error)}`);
    });
    const lines = text.split("\n").filter((line) => line !== "");
    const written = lines.find((line) => line.startsWith(`${CHECKSUM}=`))?.slice(CHECKSUM.length + 1);
    const rest = lines.filter((line) => !line.startsWith(`${CHECKSUM}=`));
    if (written !== undefined && written !== checksumOf(rest)) {
      throw refusedExport(
        `Meta Data seal is broken (checksum mismatch): 'cksum = ${written}, computed_cksum = ${checksumOf(rest)}'`,
      );
    }
    if (!rest.includes(`SDUUID=${this.#domain.id}`))
      throw refusedExport(`Storage domain does not exist: (${this.#domain.id},).`);
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
    for (const imageId of imageIds) await this.#nfs.remove(`${this.#root}/images/${imageId}`);
  }

  /** Removes the whole domain. */
  async format(): Promise<void> {
    await this.#nfs.remove(this.#root);
  }

  async writeVolume(volume: ExportedVolume, source: string, isTop: boolean): Promise<void> {
    const directory = `${this.#root}/images/${volume.imageId}`;
    if (!(await this.#exists(directory))) await this.#nfs.mkdir(directory, DIRECTORY_MODE);
    const path = `${directory}/${volume.volumeId}`;
    await this.#nfs.upload(path, source, VOLUME_MODE);
    await this.#nfs.writeText(`${path}.meta`, this.#metaOf(volume, isTop), FILE_MODE);
  }

  /**
   * Reads the description of a volume as a host does.
   * @throws EngineFault 409 for one that cannot be used
   */
  async volume(imageId: string, volumeId: string): Promise<ExportedVolume> {
    const path = `${this.#root}/images/${imageId}/${volumeId}`;
    const refuse = (why: string): never => {
      throw conflict(`Cannot import VM. Volume ${imageId}/${volumeId} ${why}.`);
    };
    const text = await this.#nfs.readText(`${path}.meta`).catch(() => refuse("has no metadata"));
    if (!(await this.#exists(path))) refuse("does not exist");
    const lines = text.split("\n");
    const pairs = new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
    const sectors = Number(pairs.get("SIZE"));
    if (!lines.includes("EOF") || !Number.isInteger(sectors)) refuse("has damaged metadata");
    if (pairs.get("LEGALITY") !== "LEGAL") refuse("is illegal");
    if (pairs.get("DOMAIN") !== this.#domain.id || pairs.get("IMAGE") !== imageId) refuse("belongs to something else");
    const parentId = pairs.get("PUUID");
    return {
      imageId,
      volumeId,
      parentId: parentId === NO_ID ? undefined : parentId,
      format: pairs.get("FORMAT") === "RAW" ? "raw" : "cow",
      sparse: pairs.get("TYPE") === "SPARSE",
      virtualBytes: sectors * SECTOR_BYTES,
      alias: /"DiskAlias":"([^"]*)"/.exec(pairs.get("DESCRIPTION") ?? "")?.[1] ?? imageId,
    };
  }

  readVolume(volume: ExportedVolume, target: string): Promise<void> {
    return this.#nfs.download(`${this.#root}/images/${volume.imageId}/${volume.volumeId}`, target);
  }

  get #root(): string {
    return `/${this.#domain.id}`;
  }

  #metaOf(volume: ExportedVolume, isTop: boolean): string {
    const description = JSON.stringify({ DiskAlias: volume.alias, DiskDescription: "" });
    return [
      `CTIME=${Math.floor(Date.now() / 1000)}`,
      `DESCRIPTION=${description}`,
      "DISKTYPE=2",
      `DOMAIN=${this.#domain.id}`,
      `FORMAT=${volume.format.toUpperCase()}`,
      `IMAGE=${volume.imageId}`,
      "LEGALITY=LEGAL",
      "MTIME=0",
      "POOL_UUID=",
      `PUUID=${volume.parentId ?? NO_ID}`,
      `SIZE=${volume.virtualBytes / SECTOR_BYTES}`,
      `TYPE=${volume.sparse ? "SPARSE" : "PREALLOCATED"}`,
      `VOLTYPE=${isTop ? "LEAF" : "INTERNAL"}`,
      "EOF",
      "",
    ].join("\n");
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

/** SHA-1 of the sorted lines without anything between them, as vdsm computes it. */
function checksumOf(lines: readonly string[]): string {
  return createHash("sha1").update(lines.toSorted().join("")).digest("hex");
}

/** Other than ASCII as numeric references of XML. */
function withReferences(line: string): string {
  return line.replaceAll(/\P{ASCII}/gu, (character) => `&#${character.codePointAt(0)};`);
}

function ovfIn(root: string, vmId: string): string {
  return `${root}/master/vms/${vmId}/${vmId}.ovf`;
}

function refusedExport(reason: string): Error {
  return conflict(`Cannot use Storage Domain. ${reason}`);
}
