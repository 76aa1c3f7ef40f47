import { beforeAll, describe, expect, onTestFinished, test } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import plugin, { type S3Options } from "@ovault/destination-s3";
import { keysOf } from "@ovault/testkit";
import type { RadosGateway } from "@ovault/test-support/rados-gateway";

import { startChild } from "./support/child.ts";
import { clientOf, host, newBucket, openStore, prepareBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";
import { storeBehindProxy } from "./support/store-behind-proxy.ts";

const signal = new AbortController().signal;
const ROUNDS = 100;

let gateway: RadosGateway;
beforeAll(async () => {
  gateway = await sharedGateway();
});

async function openNew(options: Partial<S3Options> = {}): Promise<{ store: ObjectStore; options: S3Options }> {
  const chosen = newBucket(gateway, options);
  await prepareBucket(chosen);
  const store = await openStore(chosen);
  onTestFinished(() => store.close());
  return { store, options: chosen };
}

describe("conditional puts", () => {
  test("are promised where the service refuses the second of two, and not where it ignores the condition", async () => {
    expect((await openNew()).store.capabilities.conditionalPut).toBe(true);
    // This gateway does not look at the condition where the bucket has versions.
    const { store, options } = await openNew({ objectLock: { mode: "governance" } });
    expect(store.capabilities.conditionalPut).toBe(false);
    // Found out with nothing left behind.
    const left = await clientOf(gateway).listObjectVersions({ Bucket: options.bucket });
    expect([left.Versions, left.DeleteMarkers]).toEqual([undefined, undefined]);
    expect(await store.put("a", [Buffer.from("1")], { ifAbsent: true, signal })).toBe("stored");
    expect(await store.put("a", [Buffer.from("2")], { ifAbsent: true, signal })).toBe("exists");
    expect(Buffer.from(await store.get("a", { signal })).toString()).toBe("1");
  });

  test("what the configuration says is not asked again", async () => {
    const { proxy, options } = await storeBehindProxy();
    for (const [told, promised] of [
      ["yes", true],
      ["no", false],
    ] as const) {
      const before = proxy.requests.length;
      const store = await openStore({ ...options, prefix: told, conditionalPut: told });
      onTestFinished(() => store.close());
      expect(store.capabilities.conditionalPut).toBe(promised);
      expect(proxy.requests.slice(before).filter(({ method }) => method === "PUT")).toEqual([]);
      expect(await store.put("a", [], { ifAbsent: true, signal })).toBe("stored");
      expect(await store.put("a", [], { ifAbsent: true, signal })).toBe("exists");
    }
  });

  test("are tried once for a bucket and process", async () => {
    const { proxy, options } = await storeBehindProxy();
    const before = proxy.requests.length;
    const store = await openStore({ ...options, prefix: "other" });
    onTestFinished(() => store.close());
    expect(proxy.requests.slice(before).filter(({ method }) => method === "PUT")).toEqual([]);
    expect(store.capabilities.conditionalPut).toBe(true);
  });

  test.each([400, 403, 501])("are not promised where they are answered %i", async (status) => {
    const { proxy, options } = await storeBehindProxy({ conditionalPut: "no" });
    proxy.fault = ({ headers }) => (headers["if-none-match"] === "*" ? { kind: "answer", status } : undefined);
    const store = await openStore({ ...options, conditionalPut: "auto" });
    onTestFinished(() => store.close());
    expect(store.capabilities.conditionalPut).toBe(false);
    expect(await store.put("a", [], { ifAbsent: true, signal })).toBe("stored");
  });

  test("a service that is busy when they are tried cannot be opened now", async () => {
    const { proxy, options } = await storeBehindProxy({ conditionalPut: "no" });
    proxy.fault = ({ method }) => (method === "PUT" ? { kind: "answer", status: 503 } : undefined);
    const busy = openStore({ ...options, conditionalPut: "auto" });
    await expect(busy).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE", retry: "transient" });
  });

  test("nothing is tried where the bucket is only to be read", async () => {
    const { proxy, options } = await storeBehindProxy({ conditionalPut: "no" });
    const before = proxy.requests.length;
    const store = await plugin.create({ ...options, conditionalPut: "auto" }, { ...host, readOnly: true });
    onTestFinished(() => store.close());
    expect(store.capabilities.conditionalPut).toBe(false);
    expect(await keysOf(store)).toEqual([]);
    expect(proxy.requests.slice(before).filter(({ method }) => method !== "GET")).toEqual([]);
  });

  test("the probe is in no listing", async () => {
    const { store, options } = await openNew({ prefix: "below/here" });
    expect(await keysOf(store)).toEqual([]);
    const { Contents = [] } = await clientOf(gateway).listObjectsV2({ Bucket: options.bucket });
    expect(Contents.map(({ Key, Size }) => [Key, Size])).toEqual([["below/here/~probe", 0]]);
  });

  test("two processes that race never both win, and the winner's bytes are there", async () => {
    const { store, options } = await openNew();
    const rivals = ["ann", "bob"];
    const args = [JSON.stringify(options), `${ROUNDS}`];
    const children = rivals.map((name) => startChild("racing-writer.ts", [name, ...args]));
    await Promise.all(children.map((child) => child.started));
    for (const child of children) child.go();
    const answers = await Promise.all(children.map((child) => child.lines));
    for (let round = 0; round < ROUNDS; round += 1) {
      const winners = rivals.filter((_, i) => answers[i]?.[round + 1] === "stored");
      const kept = Buffer.from(await store.get(`race/${round}`, { signal })).toString();
      expect(winners).toEqual([kept]);
    }
  });
});
