import { onTestFinished } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import type { S3Options } from "@ovault/destination-s3";

import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { newBucket, openStore, prepareBucket } from "./s3-destination.ts";
import { sharedGateway } from "./shared-gateway.ts";

export interface ProxiedStore {
  readonly proxy: FaultProxy;
  readonly store: ObjectStore;
  /** Of the store; its endpoint is the proxy's. */
  readonly options: S3Options;
}

/** An empty store of a bucket of its own, behind a proxy. Gone when the test is finished. */
export async function storeBehindProxy(options: Partial<S3Options> = {}): Promise<ProxiedStore> {
  const gateway = await sharedGateway();
  const proxy = await startFaultProxy(gateway.endpoint);
  onTestFinished(() => proxy.close());
  const chosen = newBucket(gateway, { ...options, endpoint: proxy.endpoint });
  await prepareBucket(chosen);
  const store = await openStore(chosen);
  onTestFinished(() => store.close());
  return { proxy, store, options: chosen };
}
