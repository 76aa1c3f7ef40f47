import {
  type ObjectKey,
  type ObjectStore,
  IntegrityError,
  DestinationMissingError,
  ObjectNotFoundError,
  StoreError,
  StoreMediumError,
  messageOf,
} from "@ovault/contract";
import { aroundCalls } from "../../store/around-calls.ts";
import { REPOSITORY_KEY } from "../../format/layout.ts";

/**
 * The same store, except that an unreadable object counts as damage of that object, an IntegrityError, as long as the
 * store as a whole answers: a bad sector costs what lies on it, and a check, a repair or a restore goes on with the
 * rest. The settings of the repository, which always exist, tell the two cases apart: they must be readable before and
 * after the object fails again. So an outage that ends in between counts as no damage. A StoreMediumError needs no
 * second failure, for it says by itself that the store answers. `store` repeats calls itself.
 */
export function withUnreadableAsDamage(store: ObjectStore): ObjectStore {
  /** Keys found unreadable before, so that they are not tried again for each part of the object. */
  const unreadable = new Set<ObjectKey>();
  return aroundCalls(store, async ({ kind, key, signal }, work) => {
    if ((kind !== "get" && kind !== "stat") || key === REPOSITORY_KEY) return await work();
    try {
      return await work();
    } catch (error) {
      if (!mayBeOfOneObject(error) || !(await answers(store, signal))) throw error;
      if (unreadable.has(key) || error instanceof StoreMediumError) throw damageOf(key, error);
    }
    try {
      return await work();
    } catch (error) {
      if (!mayBeOfOneObject(error) || !(await answers(store, signal))) throw error;
      unreadable.add(key);
      throw damageOf(key, error);
    }
  });
}

/** Whether the damage is that the store could not read the object, which time or permissions may cure. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof IntegrityError && mayBeOfOneObject(error.cause);
}

function mayBeOfOneObject(error: unknown): boolean {
  return (
    error instanceof StoreError &&
    !(error instanceof ObjectNotFoundError) &&
    !(error instanceof DestinationMissingError)
  );
}

async function answers(store: ObjectStore, signal: AbortSignal): Promise<boolean> {
  try {
    await store.get(REPOSITORY_KEY, { signal });
    return true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}

function damageOf(key: ObjectKey, cause: unknown): IntegrityError {
  return new IntegrityError(`${key} cannot be read, while the rest of the destination can: ${messageOf(cause)}`, {
    cause,
    context: { key },
    hint: "Look at the disk or the permissions of this object first. Then see `ovault verify --all` and `ovault repair`.",
  });
}
