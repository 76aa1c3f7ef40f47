import { element, field, reference } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseDisk, type EngineDisk } from "../model/engine-disk.ts";
import { parseList } from "../model/parse-list.ts";
import { action } from "./action.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

export interface NewDisk {
  /** Chosen by ovault, so that a disk whose creation got no answer can be looked up. */
  readonly id?: string;
  readonly name: string;
  readonly description?: string;
  /** A multiple of 512. */
  readonly provisionedBytes: number;
  /** For `cow` on block storage: the size its volume starts with. */
  readonly initialBytes?: number;
  readonly format: "raw" | "cow";
  /** Raw: sparse on file storage only. */
  readonly sparse: boolean;
  /** Track changes; `cow` only. */
  readonly incremental?: boolean;
  readonly storageDomainId: string;
  readonly shareable?: boolean;
  readonly wipeAfterDelete?: boolean;
  readonly propagateErrors?: boolean;
  readonly diskProfileId?: string;
  readonly quotaId?: string;
}

/** `/disks` */
export class DiskService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  async list(options: { readonly search?: string }, signal: AbortSignal): Promise<readonly EngineDisk[]> {
    const query = { search: options.search };
    return parseList(await this.#engine.get("/disks", { query, signal }), "disks", "disk", parseDisk);
  }

  /** @throws EntityNotFoundError */
  async get(diskId: string, signal: AbortSignal): Promise<EngineDisk> {
    return parseDisk(await this.#engine.get(path("disks", diskId), { signal }));
  }

  find(diskId: string, signal: AbortSignal): Promise<EngineDisk | undefined> {
    return orUndefined(this.get(diskId, signal));
  }

  /** Resolves while the disk is still `locked`; wait until it is `ok`. */
  async create(disk: NewDisk, signal: AbortSignal): Promise<EngineDisk> {
    const old = (await this.#engine.apiVersion(signal)) === 3;
    const body = element(
      "disk",
      { id: disk.id },
      field("backup", disk.incremental === true ? "incremental" : undefined),
      field("content_type", "data"),
      field("description", disk.description),
      reference("disk_profile", disk.diskProfileId),
      field("format", disk.format),
      field("initial_size", disk.initialBytes),
      // Version 3 has no disk without one (rsdl_metadata.yaml of oVirt engine 3.6.7); attaching it sets the right one.
      field("interface", old ? "virtio" : undefined),
      field("name", disk.name),
      field("propagate_errors", disk.propagateErrors),
      field("provisioned_size", disk.provisionedBytes),
      reference("quota", disk.quotaId),
      field("shareable", disk.shareable),
      field("sparse", disk.sparse),
      element("storage_domains", {}, reference("storage_domain", disk.storageDomainId)),
      field("wipe_after_delete", disk.wipeAfterDelete),
    );
    return parseDisk(await this.#engine.post("/disks", body, { signal }));
  }

  /**
   * Moves it to another storage domain, live while a running machine has it plugged. Resolves while it is `locked`: it
   * is `ok` there when it was moved, and `ok` where it was when that failed. A live move takes a snapshot of the machine
   * and removes it in the end, unless it fails.
   */
  async move(diskId: string, storageDomainId: string, signal: AbortSignal): Promise<void> {
    const body = action(reference("storage_domain", storageDomainId));
    await this.#engine.post(path("disks", diskId, "move"), body, { signal });
  }

  /** Succeeds if the disk is gone already. */
  async delete(diskId: string, signal: AbortSignal): Promise<void> {
    await orUndefined(this.#engine.delete(path("disks", diskId), { signal }));
  }
}
