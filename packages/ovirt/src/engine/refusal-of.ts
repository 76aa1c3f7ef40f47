import { messageOf, UsageError } from "@ovault/contract";

import { EngineConflictError, EngineFaultError, EnginePermissionError, EntityNotFoundError } from "./errors.ts";

/**
 * What speaks against a change that a restore can do without: the engine refuses it, or it cannot be sent. Undefined when it
 * was made. Anything but a refusal (no answer, a cancelled run) is an error as ever.
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

/** The answer, or undefined where the user may not have it or the engine does not know the question. */
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
