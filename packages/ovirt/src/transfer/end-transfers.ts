import { Permits } from "../permits.ts";
import type { DiskTransfer } from "./disk-transfer.ts";
import type { TransferEnd } from "./end-transfer.ts";

/**
 * Ends the transfers of a run together, and waits until all are over or have failed to end. How each ended, in their order.
 * May be called again after it threw.
 *
 * @throws what the first of them threw
 */
export async function endTransfers(
  transfers: readonly DiskTransfer[],
  how: "finalize" | "cancel",
): Promise<readonly TransferEnd[]> {
  const turn = new Permits(1);
  const ended = await Promise.allSettled(transfers.map((transfer) => transfer.end(how, turn)));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return ended.filter((one) => one.status === "fulfilled").map((one) => one.value);
}
