import { expect, test } from "vitest";

import { CancelledError } from "@ovault/contract";
import { MemoryStore, sourceOf } from "@ovault/testkit";

import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";

test("a run that is cancelled while it completes the index does not fail the others that wait for it", async () => {
  const store = new MemoryStore();
  const bytes = Uint8Array.from({ length: 8192 }, (_, at) => (at >> 3) & 0xff);
  const extents = [{ offset: 0, length: bytes.length, kind: "data" as const }];
  const point = await takePoint(await smallRepository(store, 512), [sourceOf({ bytes, extents })]);
  for (const key of store.objects.keys()) if (key.startsWith("index/")) store.objects.delete(key);
  const repository = await reopen(store);
  const cancelled = repository.completeIndex(AbortSignal.abort(new CancelledError("enough")));
  const waiting = repository.completeIndex(never);
  await expect(cancelled).rejects.toMatchObject({ code: "E_CANCELLED" });
  await waiting;
  expect(await restoredBytes(repository, point)).toEqual(bytes);
});
