import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { inLanes, messageOf, type ObjectKey, type ObjectStore, plural } from "@ovault/contract";

import { type CheckResult, runCheck } from "../run-check.ts";
import { below } from "../stores/below.ts";
import { keysOf } from "../stores/listed.ts";
import { objectStoreChecks } from "./object-store-checks.ts";
import { LANES, LONGEST_KEY, type StoreUnderTest, textBytes } from "./store-under-test.ts";

/** Number of results of `checkObjectStore`: one for each check, and one for the removal of their objects. */
export const OBJECT_STORE_RESULTS = objectStoreChecks.length + 1;

/** Deadline of the removal after the checks, which also runs when they are aborted. */
const REMOVAL_DEADLINE_MS = 10 * 60_000;

/** Iterations of randomized checks, races and aborts: enough to find faults, affordable if each call is slow. */
const DEFAULT_RUNS = 5;

export interface CheckObjectStoreOptions {
  readonly signal: AbortSignal;
  /** Another client of the same place, with its own connections. */
  readonly second?: ObjectStore;
  readonly runs?: number;
  /** Called as each check ends. */
  readonly onResult?: (result: CheckResult) => void;
}

/**
 * Checks a store that is in use against the whole ObjectStore contract. Makes all objects in a folder of its own,
 * `check-` and random digits, and removes them at the end, also when the signal is aborted. The results report
 * violations.
 * @throws the store's error when it cannot be used at all; the signal's reason
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

/** Waits for the hold of an object to end if a check set one, which is short. */
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
