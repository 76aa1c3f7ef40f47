import type {
  Assessment,
  BackupRequest,
  HeldInstant,
  NewLedgerEntry,
  RecoveryPoint,
  RunContext,
  VirtualMachine,
} from "@ovault/contract";
import { lastingState, OvirtStrategy, transferFiller, type OvirtManager } from "@ovault/ovirt";

import { assessDisk, BACKED_UP_IN } from "./assess-disk.ts";
import { keptCheckpoints } from "./base-marker.ts";
import { OWN_LEFTOVERS } from "./leftovers.ts";
import type { ChangedBlockTrackingOptions } from "./options.ts";
import { takeInstant } from "./take-instant.ts";

/** Name of the strategy in configuration, ledger and recovery points. */
export const STRATEGY_NAME = "changed-block-tracking";

/** Backups through the engine's backup API: checkpoints track changes, imageio transfers the data. */
export class ChangedBlockTracking extends OvirtStrategy {
  readonly name = STRATEGY_NAME;
  readonly #options: ChangedBlockTrackingOptions;

  constructor(manager: OvirtManager, options: ChangedBlockTrackingOptions) {
    super({ manager, filler: transferFiller(manager, options), leftovers: OWN_LEFTOVERS });
    this.#options = options;
  }

  async assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment> {
    const capabilities = await this.manager.capabilities(signal);
    return {
      disks: vm.disks.map((disk) => assessDisk(vm, disk, capabilities)),
      obstacle: lastingState(vm, BACKED_UP_IN),
    };
  }

  protected override hold(request: BackupRequest, context: RunContext): Promise<HeldInstant> {
    return takeInstant(this.manager, this.#options, request, context);
  }

  keeps(point: RecoveryPoint): readonly NewLedgerEntry[] {
    return keptCheckpoints(point).map((checkpointId) => ({
      kind: "checkpoint",
      title: `old checkpoint of ${point.vm.name}`,
      detail: { vmId: point.vm.id, checkpointId },
    }));
  }
}
