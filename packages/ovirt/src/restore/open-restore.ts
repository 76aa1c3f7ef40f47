import { observe } from "@ovault/core";
import type { RestoreRequest, RunContext } from "@ovault/core";

import type { OvirtManager } from "../manager.ts";
import { keepAlive } from "../transfer/keep-alive.ts";
import { localHostId } from "../transfer/local-host-id.ts";
import { openTransfers } from "../transfer/open-transfers.ts";
import type { OpenTransfer } from "../transfer/open-transfers.ts";
import type { TransferContext } from "../transfer/transfer-context.ts";
import { undo } from "../undo.ts";
import { assertGuestData, FileUploadError } from "./assert-guest-data.ts";
import { makeDisk } from "./make-disk.ts";
import { removeDisk } from "./remove-disk.ts";
import { designAsFiles, designRestore } from "./restore-design.ts";
import type { RestoreDesign } from "./restore-design.ts";
import { OvirtRestoreSession } from "./restore-session.ts";

/** The options of a strategy that a restore needs. */
export interface RestoreOptions {
  readonly connectionsPerHost: number;
  readonly inactivityTimeoutSeconds: number;
}

/**
 * Makes the disks of a point anew and opens them for upload. The same for every strategy that works with oVirt: a point
 * does not remember how it was taken. Leaves nothing behind when it throws, as far as possible.
 */
export async function openRestore(
  manager: OvirtManager,
  options: RestoreOptions,
  request: RestoreRequest,
  context: RunContext,
): Promise<OvirtRestoreSession> {
  const { signal, ledger, runId } = context;
  const api = manager.apiFor(runId);
  const capabilities = await manager.capabilities(signal);
  const design = await designRestore(api, capabilities, request, signal);
  const shared: TransferContext = {
    api,
    capabilities,
    ledger,
    ca: manager.client.trust.ca,
    localHostId: await localHostId(api, signal),
    connectionsPerHost: options.connectionsPerHost,
    inactivityTimeoutSeconds: options.inactivityTimeoutSeconds,
  };

  try {
    return await openDesigned(design, { request, shared, context });
  } catch (error) {
    if (!(error instanceof FileUploadError)) throw error;
    const asFiles = designAsFiles(design);
    for (const warning of asFiles.warnings) observe(context.hooks.warning, warning);
    return await openDesigned(asFiles, { request, shared, context });
  }
}

interface Opening {
  readonly request: RestoreRequest;
  readonly shared: TransferContext;
  readonly context: RunContext;
}

async function openDesigned(
  design: RestoreDesign,
  { request, shared, context }: Opening,
): Promise<OvirtRestoreSession> {
  const { api, inactivityTimeoutSeconds } = shared;
  const { signal } = context;
  const made = await Promise.allSettled(design.disks.map((disk) => makeDisk(disk, shared, signal)));
  const disks = made.filter((one) => one.status === "fulfilled").map((one) => one.value);
  let transfers: readonly OpenTransfer[] = [];
  try {
    for (const one of made) if (one.status === "rejected") throw one.reason;
    const uploads = disks.map(({ id, record, madeBytes }) => ({
      diskId: id,
      title: record.disk.alias,
      direction: "upload" as const,
      size: madeBytes,
    }));
    transfers = await openTransfers(uploads, shared, signal);
    for (const [index, disk] of disks.entries()) {
      const transfer = transfers[index];
      if (transfer !== undefined) await assertGuestData(transfer, disk, signal);
    }
    const clients = transfers.map(({ client }) => client);
    const stopKeepAlive = keepAlive(clients, inactivityTimeoutSeconds);
    return new OvirtRestoreSession({ api, request, design, disks, transfers, stopKeepAlive }, context);
  } catch (error) {
    await Promise.allSettled(transfers.map(({ transfer }) => transfer.end("cancel")));
    await Promise.all(disks.map(({ id, handle }) => undo(handle, () => removeDisk(api, id))));
    throw error;
  }
}
