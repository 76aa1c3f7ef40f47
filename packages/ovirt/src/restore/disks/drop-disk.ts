import { messageOf, observe, type RunHooks, type RunLedger } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import { removeDisk } from "../../api/remove-disk.ts";
import { assertUnused, nextStep } from "../../leftovers/in-use.ts";
import type { LeftoverKinds } from "../../leftovers/leftover-kind.ts";
import { undo } from "../../traces/undo.ts";
import type { MadeDisk } from "./make-disk.ts";

export interface DroppingSite {
  readonly ledger: RunLedger;
  readonly hooks: RunHooks;
  /** Kinds of leftovers that only this strategy makes. */
  readonly leftovers: LeftoverKinds;
}

/**
 * Removes a disk of a failed restore, unless something may still write to it: the engine may give its space to another
 * disk. Never throws: a disk that cannot be removed stays in the ledger, with a warning.
 */
export async function dropDisk(
  api: EngineApi,
  { id, handle }: Pick<MadeDisk, "id" | "handle">,
  { ledger, hooks, leftovers }: DroppingSite,
): Promise<void> {
  const obstacle = await undo(handle, async () => {
    assertUnused(handle.entry, await ledger.outstanding(), leftovers);
    await removeDisk(api, id);
  });
  if (obstacle === undefined) return;
  observe(hooks.warning, `${handle.entry.title} could not be removed: ${messageOf(obstacle)}; ${nextStep(obstacle)}`);
}
