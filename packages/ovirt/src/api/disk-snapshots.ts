import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseDiskSnapshot, type DiskSnapshot } from "../model/disk-snapshot.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

/** `/storagedomains/{id}/disksnapshots` */
export class DiskSnapshotService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /** @throws EntityNotFoundError */
  async get(storageDomainId: string, volumeId: string, signal: AbortSignal): Promise<DiskSnapshot> {
    const place = path("storagedomains", storageDomainId, "disksnapshots", volumeId);
    return parseDiskSnapshot(await this.#engine.get(place, { signal }));
  }

  find(storageDomainId: string, volumeId: string, signal: AbortSignal): Promise<DiskSnapshot | undefined> {
    return orUndefined(this.get(storageDomainId, volumeId, signal));
  }
}
