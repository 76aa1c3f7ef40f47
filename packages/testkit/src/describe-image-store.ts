import type { ImageStore } from "@ovault/contract";

import { describeChecks } from "./describe-checks.ts";
import { describeObjectStore } from "./describe-object-store.ts";
import { imageStoreChecks } from "./image-store/image-store-checks.ts";

export interface OpenedImageStore {
  /** Empty, and exclusive to the test. */
  readonly store: ImageStore;
  /** Another client of the same place. */
  readonly second?: ImageStore;
  /** Closes the clients and removes what they stored. */
  dispose(): Promise<void>;
}

export interface ImageStoreSuite {
  /** Called once for each test. */
  open(): Promise<OpenedImageStore>;
  /** Iterations of randomized checks and races. Default: 30. */
  readonly runs?: number;
  /** Limit of one test. Default: 3 minutes. */
  readonly timeoutMs?: number;
}

/** What every image store and its objects must do, as vitest tests. Call it at the top of a test file. */
export function describeImageStore(name: string, suite: ImageStoreSuite): void {
  const { runs = 30, timeoutMs = 180_000 } = suite;
  describeObjectStore(`the objects of ${name}`, {
    ...suite,
    async open() {
      const { store, second, dispose } = await suite.open();
      return { store: store.objects, ...(second === undefined ? {} : { second: second.objects }), dispose };
    },
  });
  describeChecks(`${name} keeps the image store contract`, imageStoreChecks, {
    timeoutMs,
    async open() {
      const { store, second, dispose } = await suite.open();
      return { subject: { store, second, runs }, dispose };
    },
  });
}
