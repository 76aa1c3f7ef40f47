import { randomBytes } from "node:crypto";

import { beforeAll, describe, expect, onTestFinished, test } from "vitest";

import type { S3Options } from "@ovault/destination-s3";
import type { RadosGateway } from "@ovault/test-support/rados-gateway";

import { newBucket, openStore, prepareBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";
import { storeBehindProxy } from "./support/store-behind-proxy.ts";

const signal = new AbortController().signal;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const newKey = () => ({ customerKey: { command: ["echo", randomBytes(32).toString("base64")] } });

let gateway: RadosGateway;
beforeAll(async () => {
  gateway = await sharedGateway();
});

async function secureBucket(serverSideEncryption: S3Options["serverSideEncryption"]): Promise<S3Options> {
  const options = newBucket(gateway, {
    endpoint: gateway.secureEndpoint,
    ca: { pem: gateway.ca },
    serverSideEncryption,
  });
  await prepareBucket(options);
  return options;
}

async function open(options: S3Options) {
  const store = await openStore(options);
  onTestFinished(() => store.close());
  return store;
}

describe("encryption by the service", () => {
  test("what was written with a key of the customer is read with it only", async () => {
    const options = await secureBucket(newKey());
    const store = await open(options);
    await store.put("a", [Buffer.from("content")], { ifAbsent: true, signal });
    expect(text(await store.get("a", { signal }))).toBe("content");
    expect(text(await store.get("a", { range: { offset: 1, length: 3 }, signal }))).toBe("ont");
    expect((await store.stat("a", { signal })).bytes).toBe(7);
    for (const other of [undefined, newKey()]) {
      const stranger = await open({ ...options, serverSideEncryption: other, conditionalPut: "no" });
      await expect(stranger.get("a", { signal })).rejects.toMatchObject({ code: expect.stringContaining("E_STORE") });
    }
  });

  test("a key of the key management is used by its id", async () => {
    const store = await open(await secureBucket({ kmsKeyId: gateway.kmsKeyId }));
    await store.put("a", [Buffer.from("content")], { ifAbsent: true, signal });
    expect(text(await store.get("a", { signal }))).toBe("content");
  });

  test("an unknown key is an error at the first put", async () => {
    const store = await open(await secureBucket({ kmsKeyId: "unknown" }));
    const put = store.put("a", [], { ifAbsent: true, signal });
    await expect(put).rejects.toMatchObject({
      code: "E_STORE_PERMISSION",
      message: expect.stringContaining("unknown"),
    });
  });

  test("a service that ignores what it was asked for is found out when the store is opened", async () => {
    // This gateway knows no encryption by keys of its own, and does not say so.
    const options = await secureBucket("AES256");
    await expect(openStore(options)).rejects.toMatchObject({
      code: "E_STORE",
      message: expect.stringContaining("did not encrypt"),
    });
  });
});

test("the storage class is for large objects only", async () => {
  const { proxy, store } = await storeBehindProxy({ storageClass: "STANDARD" });
  await store.put("large", [Buffer.alloc(1024 * 1024)], { ifAbsent: true, signal });
  await store.put("small", [Buffer.alloc(1024 * 1024 - 1)], { ifAbsent: true, signal });
  const classes = proxy.requests.slice(-2).map(({ headers }) => headers["x-amz-storage-class"]);
  expect(classes).toEqual(["STANDARD", undefined]);
});
