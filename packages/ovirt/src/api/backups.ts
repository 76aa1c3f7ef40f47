import { element, field, reference } from "../engine/build-xml.ts";
import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseBackup, type Backup } from "../model/backup.ts";
import { parseDisk, type EngineDisk } from "../model/engine-disk.ts";
import { parseList } from "../model/parse-list.ts";
import { action } from "./action.ts";
import { orUndefined } from "./if-missing.ts";
import { path } from "./paths.ts";

export interface NewBackup {
  readonly diskIds: readonly string[];
  /** Chosen by ovault, so that a start without an answer can be looked up (4.5; see `Capabilities.ownBackupId`). */
  readonly id?: string;
  /**
   * Reads only what changed since this checkpoint. The engine refuses an unknown or invalid one: take a full backup
   * then.
   */
  readonly fromCheckpointId?: string;
  /** At most 1024 characters. */
  readonly description?: string;
  /**
   * Fail if the guest's file systems cannot be frozen (4.4.4). A backup over a snapshot of the engine's own (hybrid)
   * ignores it, so `start` excludes hybrid backups then.
   */
  readonly requireConsistency?: boolean;
}

/** `/vms/{id}/backups`: changed block tracking. */
export class BackupService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /** Resolves long before the backup is `ready`. The machine may be up or down, with one backup at a time. */
  async start(vmId: string, backup: NewBackup, signal: AbortSignal): Promise<Backup> {
    // The documentation of the API and the engine name this parameter differently.
    const withoutSnapshot = backup.requireConsistency === true ? { legacy: true, use_active: true } : {};
    const query = { require_consistency: backup.requireConsistency, ...withoutSnapshot };
    const body = element(
      "backup",
      { id: backup.id },
      field("description", backup.description),
      element("disks", {}, ...backup.diskIds.map((id) => reference("disk", id))),
      field("from_checkpoint_id", backup.fromCheckpointId),
    );
    return parseBackup(await this.#engine.post(path("vms", vmId, "backups"), body, { query, signal }));
  }

  /** @throws EntityNotFoundError before 4.4.7 also as soon as a backup has ended. */
  async get(vmId: string, backupId: string, signal: AbortSignal): Promise<Backup> {
    return parseBackup(await this.#engine.get(path("vms", vmId, "backups", backupId), { signal }));
  }

  find(vmId: string, backupId: string, signal: AbortSignal): Promise<Backup | undefined> {
    return orUndefined(this.get(vmId, backupId, signal));
  }

  async list(vmId: string, signal: AbortSignal): Promise<readonly Backup[]> {
    return parseList(
      await this.#engine.get(path("vms", vmId, "backups"), { signal }),
      "backups",
      "backup",
      parseBackup,
    );
  }

  /** `backupMode` of each (4.4.3) is what the engine really does, whatever was requested. */
  async disks(vmId: string, backupId: string, signal: AbortSignal): Promise<readonly EngineDisk[]> {
    const root = await this.#engine.get(path("vms", vmId, "backups", backupId, "disks"), { signal });
    return parseList(root, "disks", "disk", parseDisk);
  }

  /**
   * Asks the engine to end the backup; poll until its phase is final. All its transfers must be `finished_success` or
   * `finished_failure` first: otherwise the engine answers with a conflict, and before 4.5.1 damages the backup. A
   * backup that was not `ready` fails.
   */
  async finalize(vmId: string, backupId: string, signal: AbortSignal): Promise<void> {
    await this.#engine.post(path("vms", vmId, "backups", backupId, "finalize"), action(), { signal });
  }
}
