import type { ObjectStore } from "@ovault/contract";

import { describeChecks } from "./describe-checks.ts";
import { objectStoreChecks } from "./object-store/object-store-checks.ts";
import { LONGEST_KEY } from "./object-store/store-under-test.ts";

export interface OpenedObjectStore {
  /** Empty, and exclusive to the test: a new directory, or a new prefix of one server. */
  readonly store: ObjectStore;
  /** Another client of the same place, with its own connections; without it, checks with two clients are skipped. */
  readonly second?: ObjectStore;
  /** Closes the clients and removes what they stored. */
  dispose(): Promise<void>;
}

export interface ObjectStoreSuite {
  /** Called once for each test. */
  open(): Promise<OpenedObjectStore>;
  /** Iterations of randomized checks, races and aborts. Default: 30. Fewer for slow stores. */
  readonly runs?: number;
  /** Limit of one test. Default: 3 minutes. */
  readonly timeoutMs?: number;
}

/** What every driver must do: the ObjectStore contract as vitest tests. Call it at the top of a test file. */
export function describeObjectStore(name: string, suite: ObjectStoreSuite): void {
  const { runs = 30, timeoutMs = 180_000 } = suite;
  describeChecks(`${name} keeps the object store contract`, objectStoreChecks, {
    timeoutMs,
    async open() {
      const { store, second, dispose } = await suite.open();
      return { subject: { store, second, runs, longestKey: LONGEST_KEY }, dispose };
    },
  });
}
