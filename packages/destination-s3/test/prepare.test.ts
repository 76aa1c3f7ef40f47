import { beforeAll, expect, onTestFinished, test } from "vitest";

import type { RadosGateway } from "@ovault/test-support/rados-gateway";

import { clientOf, newBucket, openStore, prepareBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";
import { storeBehindProxy } from "./support/store-behind-proxy.ts";

const signal = new AbortController().signal;

let gateway: RadosGateway;
beforeAll(async () => {
  gateway = await sharedGateway();
});

test("a bucket is made once, and what is in it stays", async () => {
  const options = newBucket(gateway);
  await prepareBucket(options);
  const store = await openStore(options);
  onTestFinished(() => store.close());
  await store.put("a", [Buffer.from("x")], { ifAbsent: true, signal });
  await prepareBucket(options);
  expect((await store.stat("a", { signal })).bytes).toBe(1);
});

test("object lock is there from the start where it is asked for", async () => {
  const options = newBucket(gateway, { objectLock: { mode: "compliance" } });
  await prepareBucket(options);
  await prepareBucket(options);
  const found = await clientOf(gateway).getObjectLockConfiguration({ Bucket: options.bucket });
  expect(found.ObjectLockConfiguration?.ObjectLockEnabled).toBe("Enabled");
});

test.each([
  ["BucketAlreadyOwnedByYou", 409],
  ["BucketAlreadyExists", 409],
])("%s is no error when the bucket can be used", async (code, status) => {
  const { proxy, options } = await storeBehindProxy();
  proxy.fault = ({ method }) => (method === "PUT" ? { kind: "answer", status, code } : undefined);
  await expect(prepareBucket(options)).resolves.toBeUndefined();
});

test("the bucket of another account is a permission error", async () => {
  const { proxy, options } = await storeBehindProxy();
  proxy.fault = ({ method }) =>
    method === "PUT"
      ? { kind: "answer", status: 409, code: "BucketAlreadyExists" }
      : { kind: "answer", status: 403, code: "AccessDenied" };
  await expect(prepareBucket(options)).rejects.toMatchObject({ code: "E_STORE_PERMISSION" });
});
