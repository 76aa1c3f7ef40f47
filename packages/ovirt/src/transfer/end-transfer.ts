import type { Semaphore } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { EntityNotFoundError } from "../engine/errors.ts";
import { arrived, pending } from "../engine/wait.ts";
import { isFinalTransferPhase } from "../model/image-transfer.ts";

/** `gone`: the entity does not exist (any more); before 4.4.7 every transfer ends like this. */
export type TransferEnd = "success" | "failure" | "gone";

/** The engine tries for minutes to remove the ticket from a host while clients are connected. */
const END_DEADLINE_MS = 20 * 60_000;

/**
 * Ends a transfer in any state, and waits until it is over. All connections to imageio must be closed. Waits beyond
 * `finished_cleanup`: a backup finalized then is damaged on engines before 4.5.1.
 *
 * @param turn shared by transfers that end together, see `WaitOptions`
 * @throws DeadlineError naming the phase it hangs in.
 */
export async function endTransfer(
  api: EngineApi,
  id: string,
  how: "finalize" | "cancel",
  turn?: Semaphore,
): Promise<TransferEnd> {
  const signal = AbortSignal.timeout(END_DEADLINE_MS * 2);
  const first = (await api.transfers.find(id, signal))?.phase;
  if (first === undefined) return "gone";
  if (!isEnding(first)) await act(api, id, how, signal);
  return await api.wait(
    `transfer ${id} to end`,
    async (pollSignal) => {
      const phase = (await api.transfers.find(id, pollSignal))?.phase;
      if (phase === undefined) return arrived<TransferEnd>("gone");
      if (!isFinalTransferPhase(phase)) return pending(phase);
      return arrived<TransferEnd>(phase === "finished_success" ? "success" : "failure");
    },
    { deadlineMs: END_DEADLINE_MS, signal, justAsked: true, ...(turn === undefined ? {} : { turn }) },
  );
}

/** A transfer may end by itself at any moment (the engine finalizes finished downloads): then there is nothing to do. */
async function act(api: EngineApi, id: string, how: "finalize" | "cancel", signal: AbortSignal): Promise<void> {
  try {
    await api.transfers[how](id, signal);
  } catch (error) {
    if (error instanceof EntityNotFoundError) return;
    const phase = (await api.transfers.find(id, signal))?.phase;
    if (phase !== undefined && !isEnding(phase)) throw error;
  }
}

function isEnding(phase: string): boolean {
  return phase.startsWith("finalizing_") || phase.startsWith("finished_") || phase.startsWith("cancelled");
}
