import type { Leftover, LedgerEntry } from "@ovault/contract";

/** What an entry names is not there any more. */
export function goneLeftover(entry: LedgerEntry): Leftover {
  return { entry, gone: true, action: "nothing left", remove: async () => {} };
}
