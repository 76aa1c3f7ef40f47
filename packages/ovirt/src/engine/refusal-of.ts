import { messageOf, UsageError } from "@ovault/contract";

import { EngineConflictError, EngineFaultError, EnginePermissionError, EntityNotFoundError } from "./errors.ts";

/**
 * Why a change that a restore can do without was not made: the engine refuses it, or it cannot be sent. Undefined when
 * it was made. Throws any other failure (no answer, a cancelled run).
 */
export async function refusalOf(change: Promise<unknown>): Promise<string | undefined> {
  try {
    await change;
    return undefined;
  } catch (error) {
    if (isRefusal(error)) return messageOf(error);
    throw error;
  }
}

/** The answer; undefined where the user lacks permission or the engine does not know the question. */
export async function unlessRefused<T>(question: Promise<T>): Promise<T | undefined> {
  try {
    return await question;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof UsageError ||
    error instanceof EngineFaultError ||
    error instanceof EngineConflictError ||
    error instanceof EnginePermissionError ||
    error instanceof EntityNotFoundError
  );
}
