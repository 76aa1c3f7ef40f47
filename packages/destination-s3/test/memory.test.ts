import { expect, onTestFinished, test } from "vitest";

import { newBucket, openStore, prepareBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";

const signal = new AbortController().signal;
const MEBIBYTE = 1024 * 1024;
const used = () => process.memoryUsage().external;

test("bodies are neither joined nor copied on their way, in one request or in parts", async () => {
  const options = newBucket(await sharedGateway());
  await prepareBucket(options);
  const store = await openStore(options);
  onTestFinished(() => store.close());
  const parts = Array.from({ length: 128 }, () => Buffer.alloc(MEBIBYTE, "content"));
  const before = used();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, used())), 1);
  onTestFinished(() => clearInterval(watch));
  await store.put("one-request", parts, { ifAbsent: true, signal });
  await store.put("in-parts", parts, { ifAbsent: false, signal });
  // What lies in the buffers of connections, beside the bytes themselves.
  expect((most - before) / MEBIBYTE).toBeLessThan(48);
});
