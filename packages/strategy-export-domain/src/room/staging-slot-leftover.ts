import { z } from "zod";

import type { LedgerEntry, Leftover } from "@ovault/contract";
import { goneLeftover, type EngineApi } from "@ovault/ovirt";

import { releaseSlot, slotsOfRun } from "./slot-files.ts";

const slotDetail = z.object({ folder: z.string() });

/** The file that held the turn of a run which the ledger knows to be dead. */
export async function stagingSlotLeftover(_api: EngineApi, entry: LedgerEntry): Promise<Leftover> {
  const { folder } = slotDetail.parse(entry.detail);
  const names = await slotsOfRun(folder, entry.runId);
  if (names.length === 0) return goneLeftover(entry);
  return {
    entry,
    gone: false,
    action: `free the ${entry.title} in ${folder}`,
    remove: async () => {
      for (const name of names) await releaseSlot(folder, name);
    },
  };
}
