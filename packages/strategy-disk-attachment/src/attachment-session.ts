import type {
  BackupSession,
  Consistency,
  DiskSource,
  PointDocument,
  RunHooks,
  SessionClosed,
  VirtualMachine,
} from "@ovault/contract";
import { confirmFrozen, dropSnapshot, type EngineApi, type FrozenBefore, type TakenSnapshot } from "@ovault/ovirt";

import type { Attachments } from "./attachments.ts";

export interface SessionParts {
  readonly api: EngineApi;
  readonly hooks: RunHooks;
  readonly vm: VirtualMachine;
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly snapshot: TakenSnapshot;
  readonly removeDeadlineMs: number;
  readonly attachments: Attachments;
}

/** A snapshot whose disks are attached to this machine, some at a time, while they are read. */
export class AttachmentSession implements BackupSession {
  readonly documents: readonly PointDocument[];
  readonly consistency: Consistency;
  readonly #parts: SessionParts;
  #disks: readonly DiskSource[] = [];
  #before: readonly FrozenBefore[] = [];

  constructor(parts: SessionParts) {
    this.documents = parts.documents;
    this.consistency = parts.consistency;
    this.#parts = parts;
  }

  get disks(): readonly DiskSource[] {
    return this.#disks;
  }

  /** Once, before anything is read. */
  open(disks: readonly DiskSource[], before: readonly FrozenBefore[]): void {
    this.#disks = disks;
    this.#before = before;
  }

  async confirm(signal: AbortSignal): Promise<void> {
    const { api, vm, snapshot } = this.#parts;
    await confirmFrozen(api, { vmId: vm.id, snapshotId: snapshot.id, before: this.#before }, signal);
  }

  /** The order is the engine's: it removes no snapshot whose disks are attached somewhere. */
  async close(): Promise<SessionClosed> {
    await this.#parts.attachments.close();
    await dropSnapshot(this.#parts.api, this.#parts);
    return { bases: new Map() };
  }

  /** Nothing stays for the next run. */
  async retire(): Promise<void> {}
}
