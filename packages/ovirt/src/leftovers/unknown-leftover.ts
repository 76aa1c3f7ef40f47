import { ManagerError, type Leftover, type LedgerEntry } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";

/** Written by a newer release, so only that release or a person may remove it. */
export async function unknownLeftover(_api: EngineApi, entry: LedgerEntry): Promise<Leftover> {
  return {
    entry,
    gone: false,
    action: `nothing: this release does not know what a "${entry.kind}" is`,
    remove: async () => {
      throw new ManagerError(`${entry.title} must be removed by hand, or with the release that made it`, {
        context: { kind: entry.kind, run: entry.runId },
      });
    },
  };
}
