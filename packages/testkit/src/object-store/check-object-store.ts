import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { inLanes, messageOf, type ObjectKey, type ObjectStore, plural } from "@ovault/contract";

import { type CheckResult, runCheck } from "../run-check.ts";
import { below } from "../stores/below.ts";
import { keysOf } from "../stores/listed.ts";
import { objectStoreChecks } from "./object-store-checks.ts";
import { LANES, LONGEST_KEY, type StoreUnderTest, textBytes } from "./store-under-test.ts";

/** Results of `checkObjectStore`: one for each check, and one for the removal of what they made. */
export const OBJECT_STORE_RESULTS = objectStoreChecks.length + 1;

/** For what is removed after the checks, also when they were aborted. */
const REMOVAL_DEADLINE_MS = 10 * 60_000;

/** Of what is random, races, or is cut off: enough to find what is broken, affordable where each call is slow. */
const DEFAULT_RUNS = 5;

export interface CheckObjectStoreOptions {
  readonly signal: AbortSignal;
  /** Another client of the same place, with connections of its own. */
  readonly second?: ObjectStore;
  readonly runs?: number;
  /** Called as each check ends. */
  readonly onResult?: (result: CheckResult) => void;
}

/**
 * Asks everything the ObjectStore contract says of a store that is in use. All objects it makes lie in a folder of its
 * own, `check-` and random digits, and are removed in the end, also when the signal is aborted. What does not hold is in
 * the results.
 * @throws whatever the store throws when it cannot be used at all; the reason of the signal.
 */
export async function checkObjectStore(
  store: ObjectStore,
  { signal, second, runs = DEFAULT_RUNS, onResult = () => {} }: CheckObjectStoreOptions,
): Promise<readonly CheckResult[]> {
  const folder = `check-${randomBytes(6).toString("hex")}/`;
  const results: CheckResult[] = [];
  const note = (result: CheckResult): void => {
    results.push(result);
    onResult(result);
  };
  try {
    await store.put(`${folder}first`, [textBytes("can it be used at all?")], { ifAbsent: true, signal });
    for (const [index, check] of objectStoreChecks.entries()) {
      const own = `${folder}${index}/`;
      const subject: StoreUnderTest = {
        store: below(store, own),
        second: second === undefined ? undefined : below(second, own),
        runs,
        longestKey: LONGEST_KEY - own.length,
      };
      note(await runCheck(check, subject, signal));
    }
  } finally {
    note(await removalOf(store, folder));
  }
  return results;
}

async function removalOf(store: ObjectStore, folder: string): Promise<CheckResult> {
  const name = "what the checks made is removed";
  try {
    await removeAll(store, folder, AbortSignal.timeout(REMOVAL_DEADLINE_MS));
    return { name, status: "passed", detail: "" };
  } catch (error) {
    return { name, status: "failed", detail: `objects are left below ${folder}: ${messageOf(error)}` };
  }
}

async function removeAll(store: ObjectStore, folder: string, signal: AbortSignal): Promise<void> {
  await inLanes(await keysOf(store, folder, signal), LANES, (key) => remove(store, key, signal));
  const left = await keysOf(store, folder, signal);
  if (left.length > 0) throw new Error(`${plural(left.length, "object")} came back`);
}

/** What a check had the store hold is free soon. */
async function remove(store: ObjectStore, key: ObjectKey, signal: AbortSignal): Promise<void> {
  try {
    await store.delete(key, { signal });
  } catch (error) {
    const until = await store.retention?.heldUntil(key, { signal });
    if (until === undefined) throw error;
    await sleep(Math.max(0, until.getTime() - Date.now()) + 1000, undefined, { signal });
    await store.delete(key, { signal });
  }
}
