import type { Leftover, LedgerEntry } from "@ovault/contract";

/** What an entry names no longer exists. */
export function goneLeftover(entry: LedgerEntry): Leftover {
  return { entry, gone: true, action: "nothing left", remove: async () => {} };
}
