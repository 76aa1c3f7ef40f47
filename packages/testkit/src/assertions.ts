import { AssertionError } from "node:assert";
import { inspect, isDeepStrictEqual } from "node:util";

/** A class of errors, abstract or not. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** Throws an AssertionError with the expected and the actual value in one line. */
export function assertSame(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) throw mismatch(what, { actual, expected });
}

/** Reports where bytes differ instead of showing them all. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = firstDifference(actual, expected);
  throw mismatch(what, { actual: shownBytes(actual, at), expected: shownBytes(expected, at) });
}

/** Settles when the call fails with an error of this class. */
export async function assertRejects(call: () => Promise<unknown>, kind: ErrorClass, what: string): Promise<void> {
  const outcome = await outcomeOf(call);
  if ("error" in outcome && outcome.error instanceof kind) return;
  throw mismatch(what, { actual: shownOutcome(outcome), expected: new Shown(`a rejection with ${kind.name}`) });
}

/** Settles when the call fails with this very value. */
export async function assertRejectsWith(call: () => Promise<unknown>, reason: unknown, what: string): Promise<void> {
  const outcome = await outcomeOf(call);
  if ("error" in outcome && outcome.error === reason) return;
  const expected = new Shown(`a rejection with the reason of the abort, ${shownError(reason)}`);
  throw mismatch(what, { actual: shownOutcome(outcome), expected });
}

export type CallOutcome<T> = { readonly value: T } | { readonly error: unknown };

/** Outcome of a call, also if it throws synchronously. */
export async function outcomeOf<T>(call: () => Promise<T>): Promise<CallOutcome<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    return { error };
  }
}

/** Text that represents a value in a message. */
class Shown {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function mismatch(what: string, { actual, expected }: { actual: unknown; expected: unknown }): AssertionError {
  const message = `${what}: expected ${shown(expected)}, got ${shown(actual)}`;
  return new AssertionError({ message, actual: plain(actual), expected: plain(expected) });
}

function plain(value: unknown): unknown {
  return value instanceof Shown ? value.text : value;
}

function shown(value: unknown): string {
  if (value instanceof Shown) return value.text;
  return inspect(value, { breakLength: Infinity, compact: true, depth: 3, maxArrayLength: 8, maxStringLength: 80 });
}

function shownBytes(bytes: Uint8Array, at: number): Shown {
  return new Shown(`${bytes.byteLength} bytes with ${inspect(Buffer.from(bytes.subarray(at, at + 8)))} at ${at}`);
}

function shownOutcome(outcome: CallOutcome<unknown>): Shown {
  if ("error" in outcome) return new Shown(`a rejection with ${shownError(outcome.error)}`);
  const { value } = outcome;
  return new Shown(value instanceof Uint8Array ? `${value.byteLength} bytes` : shown(value));
}

function shownError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : shown(error);
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.byteLength, b.byteLength);
  for (let at = 0; at < shorter; at += 1) if (a[at] !== b[at]) return at;
  return shorter;
}
