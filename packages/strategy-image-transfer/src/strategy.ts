import type { Assessment, VirtualMachine } from "@ovault/contract";
import { FROZEN_IN, lastingState, SnapshotStrategy, transferFiller, type OvirtManager } from "@ovault/ovirt";

import { assessDisk } from "./assess-disk.ts";
import { imageioReader } from "./imageio-reader.ts";
import type { ImageTransferOptions } from "./options.ts";

/** Name of the strategy in configuration, ledger and recovery points. */
export const STRATEGY_NAME = "image-transfer";

/**
 * Backups through snapshots: imageio transfers what a snapshot froze, or only what was written since the one before.
 */
export class ImageTransferStrategy extends SnapshotStrategy {
  readonly name = STRATEGY_NAME;

  constructor(manager: OvirtManager, options: ImageTransferOptions) {
    super({ manager, options, reader: imageioReader(options), filler: transferFiller(manager, options) });
  }

  async assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment> {
    const capabilities = await this.manager.capabilities(signal);
    return { disks: vm.disks.map((disk) => assessDisk(vm, disk, capabilities)), obstacle: lastingState(vm, FROZEN_IN) };
  }
}
