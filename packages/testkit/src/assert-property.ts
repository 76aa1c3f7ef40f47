import { AssertionError } from "node:assert";

import * as fc from "fast-check";

import { messageOf } from "@ovault/contract";

/** Throws the message of the failed law, followed by the smallest example and the seed. */
export async function assertProperty<T>(
  property: fc.IAsyncProperty<T>,
  numRuns: number,
  signal: AbortSignal,
): Promise<void> {
  const { failed, errorInstance, counterexample, seed, counterexamplePath } = await fc.check(property, { numRuns });
  signal.throwIfAborted();
  if (!failed) return;
  const example = `${fc.stringify(counterexample)} (seed ${seed}, path ${counterexamplePath})`;
  throw new AssertionError({ message: `${messageOf(errorInstance)}; with ${example}` });
}
