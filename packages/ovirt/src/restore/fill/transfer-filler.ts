import { ManagerError, type RunContext } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import type { OvirtManager } from "../../manager/manager.ts";
import type { DiskTransfer } from "../../transfer/disk-transfer.ts";
import { endTransfers } from "../../transfer/end-transfers.ts";
import { keepAlive } from "../../transfer/keep-alive.ts";
import { openTransfers, type OpenTransfer } from "../../transfer/open-transfers.ts";
import { transferContext } from "../../transfer/transfer-context.ts";
import type { TransferOptions } from "../../transfer/transfer-options.ts";
import { assertGuestData } from "./assert-guest-data.ts";
import type { DiskFiller, DiskFilling } from "./disk-filler.ts";
import type { MadeDisk } from "../disks/make-disk.ts";
import { UploadTarget } from "./upload-target.ts";

/** Fills disks through imageio. */
export function transferFiller(manager: OvirtManager, options: TransferOptions): DiskFiller {
  return {
    fillsCow: ({ transferFormat }) => transferFormat,
    async open(disks, { api, context }) {
      const { signal } = context;
      const uploads = disks.map(({ id, record, madeBytes }) => ({
        diskId: id,
        title: record.disk.alias,
        direction: "upload" as const,
        logicalBytes: madeBytes,
      }));
      const transfers = await openTransfers(uploads, await transferContext(manager, options, context), signal);
      await assertAllGuestData(transfers, disks, signal).catch(async (error: unknown) => {
        await endTransfers(transfersOf(transfers), "cancel").catch(() => undefined);
        throw error;
      });
      const clients = transfers.map(({ client }) => client);
      return new TransferFilling({
        api,
        context,
        disks,
        transfers,
        stopKeepAlive: keepAlive(clients, options.inactivityTimeoutSeconds),
      });
    },
  };
}

/** @throws FileUploadError */
async function assertAllGuestData(
  transfers: readonly OpenTransfer[],
  disks: readonly MadeDisk[],
  signal: AbortSignal,
): Promise<void> {
  for (const [index, disk] of disks.entries()) {
    const transfer = transfers[index];
    if (transfer !== undefined) await assertGuestData(transfer, disk, signal);
  }
}

interface TransferFillingParts {
  readonly api: EngineApi;
  readonly context: RunContext;
  readonly disks: readonly MadeDisk[];
  /** In the order of the disks. */
  readonly transfers: readonly OpenTransfer[];
  readonly stopKeepAlive: () => Promise<void>;
}

class TransferFilling implements DiskFilling {
  readonly targets: readonly UploadTarget[];
  readonly #parts: TransferFillingParts;

  constructor(parts: TransferFillingParts) {
    this.#parts = parts;
    this.targets = parts.transfers.map(({ client }, index) => {
      const made = parts.disks[index];
      if (made === undefined) throw new RangeError("more transfers than disks");
      const { record, layout, madeBytes } = made;
      const { id: diskId, logicalBytes } = record.disk;
      return new UploadTarget({ diskId, logicalBytes, madeBytes, client, writeZeros: layout.writeZeros });
    });
  }

  /** The engine verifies an uploaded disk, and removes one that fails. */
  async finish(): Promise<void> {
    const { api, context, transfers, stopKeepAlive } = this.#parts;
    await stopKeepAlive();
    const ends = await endTransfers(transfersOf(transfers), "finalize");
    await Promise.all(
      transfers.map(async ({ transfer }, index) => {
        const end = ends[index] ?? "gone";
        const { diskId, title } = transfer.request;
        const { signal } = context;
        const good = end === "success" || (end === "gone" && (await api.disks.find(diskId, signal))?.status === "ok");
        if (good) return;
        throw new ManagerError(`the engine refuses the uploaded disk ${title}`, {
          context: { disk: diskId, end },
          hint: "Its events say why; the disk has been removed, and the restore can be run again.",
        });
      }),
    );
  }

  async abandon(): Promise<void> {
    const { transfers, stopKeepAlive } = this.#parts;
    await stopKeepAlive();
    await endTransfers(transfersOf(transfers), "cancel").catch(() => undefined);
  }
}

function transfersOf(open: readonly OpenTransfer[]): readonly DiskTransfer[] {
  return open.map(({ transfer }) => transfer);
}
