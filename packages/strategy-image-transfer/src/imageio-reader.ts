import type { DiskSource } from "@ovault/contract";
import {
  HeldTransfers,
  transferContext,
  type DiskPlan,
  type ReadingSite,
  type TransferOptions,
  type VolumeReader,
  type VolumeReading,
} from "@ovault/ovirt";

import { openDisks } from "./open-disks.ts";

/** Reads volumes through imageio. */
export function imageioReader(options: TransferOptions): VolumeReader {
  return {
    // Where transfers cannot read a single layer, the layer arrives as its QCOW2 file.
    increments: ({ shallowTransfer }) => ({ engineTells: shallowTransfer, headerTells: !shallowTransfer }),
    // An engine that transfers only files shows one layer of a disk at a time (before 4.3).
    readsChains: ({ transferFormat }) => transferFormat,
    prepare: async (_request, site) => new ImageioReading(site, options),
  };
}

class ImageioReading implements VolumeReading {
  readonly #site: ReadingSite;
  readonly #options: TransferOptions;
  readonly #transfers = new HeldTransfers();

  constructor(site: ReadingSite, options: TransferOptions) {
    this.#site = site;
    this.#options = options;
  }

  get holdsVolumes(): boolean {
    return !this.#transfers.isEmpty;
  }

  /** Opens a transfer for each disk. */
  async open(plans: readonly DiskPlan[], _snapshotId: string, signal: AbortSignal): Promise<readonly DiskSource[]> {
    const { manager, context: run } = this.#site;
    const context = await transferContext(manager, this.#options, { ...run, signal });
    const disks = await openDisks(plans, { context, held: this.#transfers }, signal);
    this.#transfers.keepAlive(this.#options.inactivityTimeoutSeconds);
    return disks;
  }

  confirm(signal: AbortSignal): Promise<void> {
    return this.#transfers.confirm(signal);
  }

  close(outcome: "complete" | "failed"): Promise<void> {
    return this.#transfers.close(outcome);
  }
}
