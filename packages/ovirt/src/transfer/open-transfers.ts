import { Semaphore, settleAll } from "@ovault/contract";

import { HostLosses } from "../imageio/host-losses.ts";
import { MAX_HOST_CONNECTIONS, type ImageioClient } from "../imageio/imageio-client.ts";
import { DiskTransfer, type HostShare, type TransferRequest } from "./disk-transfer.ts";
import { endTransfers } from "./end-transfers.ts";
import type { TransferContext } from "./transfer-context.ts";

export interface OpenTransfer {
  readonly transfer: DiskTransfer;
  readonly client: ImageioClient;
}

/**
 * Opens transfers of several disks, in the requested order. Disks of one host share its connections evenly and stay
 * below its limit together. When one fails, ends all and throws the first error.
 */
export async function openTransfers(
  requests: readonly TransferRequest[],
  context: TransferContext,
  signal: AbortSignal,
): Promise<readonly OpenTransfer[]> {
  const turn = new Semaphore(1);
  const started = await Promise.allSettled(
    requests.map((request) => DiskTransfer.start(request, context, signal, turn)),
  );
  const transfers = started.filter((one) => one.status === "fulfilled").map((one) => one.value);
  try {
    for (const one of started) if (one.status === "rejected") throw one.reason;
    return await connectAll(transfers, context, signal);
  } catch (error) {
    await endTransfers(transfers, "cancel").catch(() => undefined);
    throw error;
  }
}

async function connectAll(
  transfers: readonly DiskTransfer[],
  context: TransferContext,
  signal: AbortSignal,
): Promise<readonly OpenTransfer[]> {
  const limit = Math.min(context.connectionsPerHost, MAX_HOST_CONNECTIONS);
  const byHost = Map.groupBy(transfers, ({ hostId }) => hostId);
  const shareOfHost = (): HostShare => ({ connections: new Semaphore(limit), losses: new HostLosses() });
  const shares = new Map([...byHost.keys()].map((hostId) => [hostId, shareOfHost()]));
  return await settleAll(
    transfers.map(async (transfer): Promise<OpenTransfer> => {
      const share = Math.max(1, Math.floor(limit / (byHost.get(transfer.hostId)?.length ?? 1)));
      const host = shares.get(transfer.hostId) ?? shareOfHost();
      return { transfer, client: await transfer.connect(share, host, signal) };
    }),
  );
}
