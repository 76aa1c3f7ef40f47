import { randomBytes } from "node:crypto";

import { beforeAll, expect, onTestFinished, test } from "vitest";

import { prune, Repository, RepositorySecret } from "@ovault/core";
import { keysOf, sourceOf } from "@ovault/testkit";
import type { RadosGateway } from "@ovault/test-support/rados-gateway";

import { hoursLater } from "@ovault/test-support/repository/block-site";
import { takePoint } from "@ovault/test-support/repository/take-point";
import { newBucket, openStore, prepareBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";

const { signal } = new AbortController();
const BLOCK_BYTES = 256 * 1024;
const HOUR_MS = 60 * 60 * 1000;

let gateway: RadosGateway;
beforeAll(async () => {
  gateway = await sharedGateway();
});

const randomDisk = () =>
  sourceOf({ bytes: randomBytes(BLOCK_BYTES), extents: [{ offset: 0, length: BLOCK_BYTES, kind: "data" }] });

test("a prune extends the locks of what points need, and reports what the bucket does not delete", async () => {
  const options = newBucket(gateway, { objectLock: { mode: "compliance" } });
  await prepareBucket(options);
  const store = await openStore(options);
  onTestFinished(() => store.close());
  const secret = RepositorySecret.keyFile(randomBytes(32));
  const encryption = { secret, label: "first" };
  const repository = await Repository.create(store, { blockBytes: BLOCK_BYTES, encryption, lockDays: 1, signal });
  const [old, point] = [await takePoint(repository, [randomDisk()]), await takePoint(repository, [randomDisk()])];
  const kept = [repository.points.keyOf(point), "ovault-repository", ...(await keysOf(store, "keys/"))];
  await repository.points.forget(old, signal);
  expect(await prune(repository, { signal })).toMatchObject({ freedPacks: 0, condemnedPacks: 3, keptPacks: 3 });
  const later = await prune(repository, { clock: hoursLater(30), signal });
  // A block of each point and both copies of its page in packs of their own; those of the old one are held for a day.
  expect(later).toMatchObject({ freedPacks: 0, deletedPoints: 0, lockedPacks: 3, condemnedPacks: 0, keptPacks: 3 });
  expect(Date.parse(later.lockedUntil ?? "")).toBeLessThan(Date.now() + 24 * HOUR_MS);
  for (const key of kept) {
    const until = await store.retention?.heldUntil(key, { signal });
    expect(until?.getTime()).toBeGreaterThan(Date.now() + 53 * HOUR_MS);
  }
  expect(await prune(repository, { dryRun: true, signal })).toMatchObject({ freedPacks: 0, lockedPacks: 3 });
});
