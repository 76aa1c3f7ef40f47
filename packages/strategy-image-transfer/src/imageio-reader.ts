import type { DiskSource } from "@ovault/contract";
import {
  endTransfers,
  keepAlive,
  transferContext,
  type DiskPlan,
  type OpenTransfer,
  type ReadingSite,
  type TransferOptions,
  type VolumeReader,
  type VolumeReading,
} from "@ovault/ovirt";

import { openDisks } from "./open-disks.ts";

/** Reads volumes through imageio. */
export function imageioReader(options: TransferOptions): VolumeReader {
  return {
    // Without transfers of one layer, the layer comes as its QCOW2 file.
    increments: ({ shallowTransfer }) => ({ engineTells: shallowTransfer, headerTells: !shallowTransfer }),
    // An engine that shows only files shows one layer of a disk at a time (before 4.3).
    readsChains: ({ transferFormat }) => transferFormat,
    prepare: async (_request, site) => new ImageioReading(site, options),
  };
}

class ImageioReading implements VolumeReading {
  readonly #site: ReadingSite;
  readonly #options: TransferOptions;
  readonly #transfers = new Set<OpenTransfer>();
  #stopKeepAlive: () => Promise<void> = async () => {};

  constructor(site: ReadingSite, options: TransferOptions) {
    this.#site = site;
    this.#options = options;
  }

  get holdsVolumes(): boolean {
    return this.#transfers.size > 0;
  }

  /** Opens a transfer for each disk. */
  async open(plans: readonly DiskPlan[], _snapshotId: string, signal: AbortSignal): Promise<readonly DiskSource[]> {
    const { manager, context: run } = this.#site;
    const context = await transferContext(manager, this.#options, { ...run, signal });
    const onOpen = (transfer: OpenTransfer): void => void this.#transfers.add(transfer);
    const onEnded = (transfer: OpenTransfer): void => void this.#transfers.delete(transfer);
    const disks = await openDisks(plans, { context, onOpen, onEnded }, signal);
    const clients = [...this.#transfers].map(({ client }) => client);
    this.#stopKeepAlive = keepAlive(clients, this.#options.inactivityTimeoutSeconds);
    return disks;
  }

  async confirm(signal: AbortSignal): Promise<void> {
    for (const { transfer } of this.#transfers) await transfer.confirm(signal);
  }

  /** The order is the engine's: connections before transfers. */
  async close(outcome: "complete" | "failed"): Promise<void> {
    await this.#stopKeepAlive();
    const open = [...this.#transfers];
    await Promise.all(open.map(({ client }) => client.close()));
    const transfers = open.map(({ transfer }) => transfer);
    await endTransfers(transfers, outcome === "complete" ? "finalize" : "cancel");
  }
}
