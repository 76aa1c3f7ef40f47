import { element, field, reference } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseList } from "../model/parse-list.ts";
import { parseSnapshot, type Snapshot } from "../model/snapshot.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

export interface NewSnapshot {
  readonly description: string;
  /** Only these disks; default: all that can have snapshots. */
  readonly diskIds?: readonly string[];
}

/** `/vms/{id}/snapshots` */
export class SnapshotService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /** May leave out a snapshot that is being deleted (BZ1530603). */
  async list(vmId: string, signal: AbortSignal): Promise<readonly Snapshot[]> {
    const root = await this.#engine.get(path("vms", vmId, "snapshots"), { signal });
    return parseList(root, "snapshots", "snapshot", parseSnapshot);
  }

  /** @throws EntityNotFoundError */
  async get(
    vmId: string,
    snapshotId: string,
    options: { readonly allContent?: boolean },
    signal: AbortSignal,
  ): Promise<Snapshot> {
    const query = { all_content: options.allContent };
    return parseSnapshot(await this.#engine.get(path("vms", vmId, "snapshots", snapshotId), { query, signal }));
  }

  find(vmId: string, snapshotId: string, signal: AbortSignal): Promise<Snapshot | undefined> {
    return orUndefined(this.get(vmId, snapshotId, {}, signal));
  }

  /**
   * Creates a snapshot without memory. Resolves while it is still `locked`; if it disappears before `ok`, it failed.
   */
  async create(vmId: string, snapshot: NewSnapshot, signal: AbortSignal): Promise<Snapshot> {
    const disks = snapshot.diskIds?.map((id) => reference("disk", id));
    const old = disks !== undefined && (await this.#engine.apiVersion(signal)) === 3;
    const body = element(
      "snapshot",
      {},
      field("description", snapshot.description),
      old
        ? field("disks", disks)
        : field(
            "disk_attachments",
            disks?.map((disk) => field("disk_attachment", disk)),
          ),
      // The engine's own default is true, and a memory snapshot never freezes file systems.
      field("persist_memorystate", false),
    );
    return parseSnapshot(await this.#engine.post(path("vms", vmId, "snapshots"), body, { signal }));
  }

  /** Resolves long before the merge ends: poll until the snapshot is gone. Succeeds if it is gone already. */
  async delete(vmId: string, snapshotId: string, signal: AbortSignal): Promise<void> {
    await orUndefined(this.#engine.delete(path("vms", vmId, "snapshots", snapshotId), { signal }));
  }
}
