import { StoreFullError } from "@ovault/contract";

/** Whether the error means that the store has no room. */
export function isFull(error: unknown): error is StoreFullError {
  return error instanceof StoreFullError;
}

/** Resolves to false when the store had no room for the work. */
export async function unlessFull(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (isFull(error)) return false;
    throw error;
  }
}
