import { EntityNotFoundError } from "../engine/errors.ts";

/** The answer, or `undefined` where the entity does not exist. */
export async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof EntityNotFoundError) return undefined;
    throw error;
  }
}
