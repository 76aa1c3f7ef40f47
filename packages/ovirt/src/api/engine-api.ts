import type { EngineCaller, OnWait } from "../engine/engine-caller.ts";
import { waitFor, type Polled, type WaitOptions } from "../engine/wait.ts";
import { BackupService } from "./backups.ts";
import { CheckpointService } from "./checkpoints.ts";
import { DiskSnapshotService } from "./disk-snapshots.ts";
import { DiskService } from "./disks.ts";
import { EventService } from "./events.ts";
import { ExportDomainService } from "./export-domains.ts";
import { ImageTransferService } from "./image-transfers.ts";
import { InfrastructureService } from "./infrastructure.ts";
import { SnapshotService } from "./snapshots.ts";
import { StorageDomainService } from "./storage-domains.ts";
import { VmService } from "./vms.ts";

/**
 * The engine's API, typed: one service for each resource. Calls throw what `EngineCaller` documents, retry what is safe
 * to retry, and resolve when the engine has *accepted* the request; `wait` waits for the effect.
 */
export class EngineApi {
  readonly vms: VmService;
  readonly disks: DiskService;
  readonly snapshots: SnapshotService;
  readonly diskSnapshots: DiskSnapshotService;
  readonly backups: BackupService;
  readonly checkpoints: CheckpointService;
  readonly transfers: ImageTransferService;
  readonly infrastructure: InfrastructureService;
  readonly events: EventService;
  readonly storageDomains: StorageDomainService;
  readonly exportDomains: ExportDomainService;
  /** How long a request may take to become visible if the run that sent it died before the answer. */
  readonly inFlightMs: number;
  /** How long to wait for temporary states: a conflict, a lock, a migration. */
  readonly conflictDeadlineMs: number;
  /** How long to wait for a host whose imageio does not answer. */
  readonly hostPatienceMs: number;
  /** Receives a message for people: what a call waits for and why. */
  readonly onWait: OnWait | undefined;
  readonly #pollMs: number;

  constructor(engine: EngineCaller) {
    this.vms = new VmService(engine);
    this.disks = new DiskService(engine);
    this.snapshots = new SnapshotService(engine);
    this.diskSnapshots = new DiskSnapshotService(engine);
    this.backups = new BackupService(engine);
    this.checkpoints = new CheckpointService(engine);
    this.transfers = new ImageTransferService(engine);
    this.infrastructure = new InfrastructureService(engine);
    this.events = new EventService(engine);
    this.storageDomains = new StorageDomainService(engine);
    this.exportDomains = new ExportDomainService(engine);
    this.inFlightMs = engine.inFlightMs;
    this.conflictDeadlineMs = engine.conflictDeadlineMs;
    this.hostPatienceMs = engine.hostPatienceMs;
    this.onWait = engine.onWait;
    this.#pollMs = engine.pollMs;
  }

  /** `waitFor` with this engine's poll interval. @throws DeadlineError naming what was waited for and its last state */
  wait<T>(
    what: string,
    poll: (signal: AbortSignal) => Promise<Polled<T>>,
    options: Omit<WaitOptions, "pollMs">,
  ): Promise<T> {
    return waitFor(what, poll, { ...options, pollMs: this.#pollMs });
  }
}
