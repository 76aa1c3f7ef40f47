import { type ObjectStore, messageOf, IntegrityError } from "@ovault/contract";
import type { DamagedObject } from "../format/damaged-object.ts";
import type { DamagedThing } from "./repair-report.ts";

export interface RemoveOptions {
  /** False: only reports them. */
  readonly remove: boolean;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** Deletes damaged objects. Leaves those of a newer release alone. */
export async function removeDamaged(
  store: ObjectStore,
  objects: readonly DamagedObject[],
  { remove, dryRun, signal }: RemoveOptions,
): Promise<readonly DamagedThing[]> {
  const things: DamagedThing[] = [];
  for (const { key, error } of objects) {
    const removed = remove && error instanceof IntegrityError;
    if (removed && !dryRun) await store.delete(key, { signal });
    things.push({ name: key, reason: messageOf(error), removed });
  }
  return things;
}
