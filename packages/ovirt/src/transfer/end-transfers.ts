import { Semaphore, settleAll } from "@ovault/contract";

import type { DiskTransfer } from "./disk-transfer.ts";
import type { TransferEnd } from "./end-transfer.ts";

/**
 * Ends the transfers of a run together, and waits until all are over or have failed to end. Returns the ends in their
 * order. May be called again after it threw.
 *
 * @throws the first error
 */
export async function endTransfers(
  transfers: readonly DiskTransfer[],
  how: "finalize" | "cancel",
): Promise<readonly TransferEnd[]> {
  const turn = new Semaphore(1);
  return await settleAll(transfers.map((transfer) => transfer.end(how, turn)));
}
