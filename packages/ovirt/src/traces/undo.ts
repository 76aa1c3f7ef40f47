import type { LedgerHandle } from "@ovault/contract";

/**
 * Cleans up after a failure: removes a thing and closes its entry. What cannot be removed stays in the ledger for
 * `ovault doctor` and the next run. Never throws, because the original failure is the error to report; resolves to the
 * obstacle, if there was one.
 */
export async function undo(handle: LedgerHandle, remove: () => Promise<unknown>): Promise<unknown> {
  try {
    await remove();
    await handle.close();
    return undefined;
  } catch (error) {
    return error;
  }
}
