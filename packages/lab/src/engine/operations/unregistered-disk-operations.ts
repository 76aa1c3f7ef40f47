import type { DataVolume } from "../../data-domain/volume-metadata.ts";
import { reasonOf, type EngineCore } from "../engine-core.ts";
import { badRequest, conflict, notFound } from "../engine-fault.ts";
import type { DiskState } from "../engine-state.ts";

/** A disk that lies on a data domain and is not in the engine's database. */
export interface UnregisteredDisk {
  readonly id: string;
  readonly alias: string;
  /** From the base to the one that takes writes. */
  readonly volumes: readonly [DataVolume, ...DataVolume[]];
}

/** Disks that others have put on a data domain: found by their metadata, and taken over. */
export class UnregisteredDiskOperations {
  readonly #core: EngineCore;

  constructor(core: EngineCore) {
    this.#core = core;
  }

  /** Reads the metadata of all volumes, as the engine lets a host do (GetUnregisteredDisksQuery). */
  async list(domainId: string): Promise<readonly UnregisteredDisk[]> {
    const { dataDomains, disks } = this.#core.state;
    const domain = dataDomains.find(({ id }) => id === domainId);
    if (domain === undefined) return [];
    if (domain.status !== "active") {
      throw conflict(`Cannot scan Storage Domain. The relevant Storage Domain's status is ${domain.status}.`);
    }
    const all = await this.#core.hypervisor.volumesOn(domainId).catch((error: unknown) => {
      throw badRequest(`Error while getting the disks of the Storage Domain: ${reasonOf(error)}`);
    });
    const unknown = all.filter(({ diskId, type }) => !(diskId in disks) && isData(type));
    return unknown
      .filter(({ isLeaf }) => isLeaf)
      .flatMap((leaf) => {
        const volumes = chainOf(leaf, unknown);
        return volumes === undefined ? [] : [{ id: leaf.diskId, alias: aliasOf(leaf), volumes }];
      });
  }

  /** @throws EngineFault 404 for a disk that does not lie there, 400 for one that a host cannot use */
  async register(domainId: string, diskId: string, alias?: string): Promise<DiskState> {
    if (diskId in this.#core.state.disks) {
      throw conflict("Cannot register Virtual Disk. The disk is already registered.");
    }
    const found = (await this.list(domainId)).find(({ id }) => id === diskId);
    if (found === undefined) throw notFound();
    const top = found.volumes.at(-1) ?? found.volumes[0];
    if (found.volumes.some(({ isLegal }) => !isLegal)) {
      throw badRequest(`Cannot register Virtual Disk. A volume of disk ${diskId} is illegal.`);
    }
    const info = await this.#core.hypervisor.adoptDisk(found.volumes).catch((error: unknown) => {
      throw badRequest(`Cannot register Virtual Disk. ${reasonOf(error)}`);
    });
    const disk: DiskState = {
      id: diskId,
      alias: alias ?? found.alias,
      description: "",
      imageId: top.volumeId,
      provisionedBytes: info.virtualBytes,
      format: top.format,
      sparse: top.sparse,
      backup: top.format === "cow" ? "incremental" : "none",
      status: "ok",
      shareable: false,
      wipeAfterDelete: false,
      storageDomainId: domainId,
      createdAt: new Date().toISOString(),
    };
    this.#core.state.disks[diskId] = disk;
    this.#core.store.changed();
    return disk;
  }
}

/** Old domains write 2. */
function isData(type: string): boolean {
  return type === "DATA" || type === "2";
}

/** Undefined for a chain with a missing volume, or without an end. */
function chainOf(leaf: DataVolume, all: readonly DataVolume[]): UnregisteredDisk["volumes"] | undefined {
  let chain: UnregisteredDisk["volumes"] = [leaf];
  for (let next = leaf.parentId; next !== undefined; next = chain[0].parentId) {
    const below = all.find((volume) => volume.diskId === leaf.diskId && volume.volumeId === next);
    if (below === undefined || chain.includes(below)) return undefined;
    chain = [below, ...chain];
  }
  return chain;
}

/** The engine's own description is JSON; others are names. */
function aliasOf({ diskId, description }: DataVolume): string {
  return (
    /"DiskAlias":"([^"]+)"/.exec(description)?.[1] ?? (description.startsWith("{") ? diskId : description || diskId)
  );
}
