import type {
  Assessment,
  BackupRequest,
  HeldInstant,
  Leftover,
  LedgerEntry,
  NewLedgerEntry,
  RecoveryPoint,
  RestorePlan,
  RestoreRequest,
  RestoreSession,
  RunContext,
  Strategy,
  VirtualMachine,
} from "@ovault/contract";
import {
  lookUpLeftovers,
  holdConfiguration,
  openRestore,
  planRestore,
  transferFiller,
  type DiskFiller,
  type OvirtManager,
} from "@ovault/ovirt";

import { assessDisk } from "./assess-disk.ts";
import { keptSnapshots } from "./kept-snapshots.ts";
import type { ImageTransferOptions } from "./options.ts";
import { takeInstant } from "./take-instant.ts";

/** Name of the strategy in configuration, ledger and recovery points. */
export const STRATEGY_NAME = "image-transfer";

/** Backups through snapshots: imageio carries what a snapshot froze, or only what was written since the one before. */
export class ImageTransferStrategy implements Strategy {
  readonly name = STRATEGY_NAME;
  readonly #manager: OvirtManager;
  readonly #options: ImageTransferOptions;
  readonly #filler: DiskFiller;

  constructor(manager: OvirtManager, options: ImageTransferOptions) {
    this.#manager = manager;
    this.#options = options;
    this.#filler = transferFiller(manager, options);
  }

  async assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment> {
    const capabilities = await this.#manager.capabilities(signal);
    return { disks: vm.disks.map((disk) => assessDisk(vm, disk, capabilities)) };
  }

  takeInstant(request: BackupRequest, context: RunContext): Promise<HeldInstant> {
    if (request.disks.length > 0) return takeInstant(this.#manager, this.#options, request, context);
    return holdConfiguration(this.#manager.apiFor(context.runId, context.hooks), request, context);
  }

  planRestore(request: RestoreRequest, signal: AbortSignal): Promise<RestorePlan> {
    return planRestore(this.#manager, this.#filler, request, signal);
  }

  openRestore(request: RestoreRequest, context: RunContext): Promise<RestoreSession> {
    return openRestore(this.#manager, this.#filler, request, context);
  }

  keeps(point: RecoveryPoint): readonly NewLedgerEntry[] {
    return keptSnapshots(point);
  }

  leftovers(entries: readonly LedgerEntry[], signal: AbortSignal): Promise<readonly Leftover[]> {
    return lookUpLeftovers(this.#manager.api, entries, {}, signal);
  }
}
