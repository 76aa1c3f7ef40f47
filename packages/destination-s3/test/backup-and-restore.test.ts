import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";

import { retrying } from "@ovault/core";
import { applyChanges, arbitraryChanges, arbitraryDisk, sourceOf } from "@ovault/testkit";

import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";
import type { Fault } from "./support/fault-proxy.ts";
import { openStore } from "./support/s3-destination.ts";
import { storeBehindProxy } from "./support/store-behind-proxy.ts";

/** One of so many requests meets a fault. */
const RARITY = 8;
const faults: readonly Fault[] = [
  { kind: "answer", status: 503, code: "SlowDown" },
  { kind: "cut request", afterBytes: 10 },
  { kind: "cut answer", afterBytes: 10 },
  { kind: "swallow" },
];

test("a full and its increments come back from a bucket byte for byte, over a service that often fails", async () => {
  const { proxy, options } = await storeBehindProxy();
  let round = 0;
  await fc.assert(
    fc.asyncProperty(arbitraryDisk(6), fc.array(arbitraryChanges, { maxLength: 3 }), async (first, steps) => {
      const chosen = { ...options, prefix: `round-${(round += 1)}` };
      const store = await openStore(chosen);
      onTestFinished(() => store.close());
      let requests = 0;
      proxy.fault = () => ((requests += 1) % RARITY === 0 ? faults[(requests / RARITY) % faults.length] : undefined);
      const patient = retrying(store, { policy: { patienceMs: 60_000, firstDelayMs: 1 } });
      const repository = await smallRepository(patient);
      let disk = first;
      let base = await takePoint(repository, [sourceOf(disk)]);
      const taken = [{ point: base, bytes: disk.bytes }];
      for (const step of steps) {
        disk = applyChanges(disk, step);
        base = await takePoint(repository, [sourceOf(disk, { mode: "incremental" })], { base });
        taken.push({ point: base, bytes: disk.bytes });
      }
      const reader = await reopen(patient);
      for (const { point, bytes } of taken) expect(await restoredBytes(reader, point)).toEqual(bytes);
      proxy.fault = () => undefined;
    }),
    { numRuns: 8 },
  );
});
