import {
  type ObjectKey,
  type ObjectStore,
  IntegrityError,
  DestinationMissingError,
  ObjectNotFoundError,
  StoreError,
  messageOf,
} from "@ovault/contract";
import { aroundCalls } from "../../store/around-calls.ts";
import { REPOSITORY_KEY } from "../../format/layout.ts";

/**
 * The same store, where an object that cannot be read is damage of that object, an IntegrityError, as long as the store as a
 * whole answers: a bad sector costs what lies on it, and a check, a repair or a restore goes on with the rest. The settings of
 * the repository, which are always there, tell the two apart: they must be readable before and after the object fails again.
 * So an outage that ends in between is damage of nothing. `store` repeats calls itself.
 */
export function withUnreadableAsDamage(store: ObjectStore): ObjectStore {
  /** Keys that were found so once: what they hold is not tried twice for each part of it. */
  const unreadable = new Set<ObjectKey>();
  return aroundCalls(store, async ({ kind, key, signal }, work) => {
    if ((kind !== "get" && kind !== "stat") || key === REPOSITORY_KEY) return await work();
    try {
      return await work();
    } catch (error) {
      if (!mayBeOfOneObject(error) || !(await answers(store, signal))) throw error;
      if (unreadable.has(key)) throw damageOf(key, error);
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

/** Whether this is damage because the store could not read the object, which may be a matter of time or of permissions. */
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
