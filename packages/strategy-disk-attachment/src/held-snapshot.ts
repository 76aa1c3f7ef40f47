import type {
  BackupRequest,
  ClosedInstant,
  Consistency,
  DiskSource,
  HeldInstant,
  PointDocument,
  RunHooks,
} from "@ovault/contract";
import {
  asItWas,
  confirmFrozen,
  dropSnapshot,
  frozenVolumes,
  type EngineApi,
  type FrozenBefore,
  type HeldMachine,
} from "@ovault/ovirt";

import { AttachedDisk } from "./attached-disk.ts";
import { AttachedDiskSource } from "./attached-disk-source.ts";
import type { Attachments } from "./attachments.ts";
import { planMode } from "./plan-mode.ts";

/** What was asked for, the snapshot that shows it, and where its disks are attached. */
export interface HeldSnapshotParts extends BackupRequest, HeldMachine {
  readonly api: EngineApi;
  readonly hooks: RunHooks;
  readonly removeDeadlineMs: number;
  readonly attachments: Attachments;
}

/** A snapshot whose disks are attached to this machine, some at a time, while they are read. */
export class HeldSnapshot implements HeldInstant {
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly #parts: HeldSnapshotParts;
  #before: readonly FrozenBefore[] = [];

  constructor(parts: HeldSnapshotParts) {
    this.documents = parts.documents;
    this.consistency = parts.consistency;
    this.#parts = parts;
  }

  /** Attaches nothing yet: each disk is attached when it is read. */
  async open(signal: AbortSignal): Promise<readonly DiskSource[]> {
    const { api, vm, disks, snapshot, attachments } = this.#parts;
    const volumes = await frozenVolumes(api, { vmId: vm.id, snapshotId: snapshot.id, disks }, signal);
    this.#before = volumes.map((one) => ({ disk: asItWas(one), volumeId: one.volume.imageId }));
    return this.#before.map(({ disk }) => {
      const { id: diskId, alias, logicalBytes: bytes } = disk;
      const request = { diskId, alias, snapshotId: snapshot.id, bytes, access: "read" } as const;
      const attached = new AttachedDisk(request, attachments);
      return new AttachedDiskSource({ disk, ...planMode(this.#parts, disk), attached });
    });
  }

  async confirm(signal: AbortSignal): Promise<void> {
    const { api, vm, snapshot } = this.#parts;
    await confirmFrozen(api, { vmId: vm.id, snapshotId: snapshot.id, before: this.#before }, signal);
  }

  /** The order is the engine's: it removes no snapshot whose disks are attached somewhere. */
  async close(): Promise<ClosedInstant> {
    await this.#parts.attachments.close();
    await dropSnapshot(this.#parts.api, this.#parts);
    return { bases: new Map() };
  }

  /** Nothing stays for the next run. */
  async retire(): Promise<void> {}
}
