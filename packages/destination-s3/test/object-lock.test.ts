import { beforeAll, describe, expect, onTestFinished, test } from "vitest";

import type { ObjectStore, RetentionControl } from "@ovault/contract";
import type { S3Options } from "@ovault/destination-s3";
import { keysOf } from "@ovault/testkit";
import type { RadosGateway } from "@ovault/test-support/rados-gateway";

import { clientOf, newBucket, openStore, prepareBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";
import { storeBehindProxy } from "./support/store-behind-proxy.ts";

const signal = new AbortController().signal;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000);

let gateway: RadosGateway;
beforeAll(async () => {
  gateway = await sharedGateway();
});

interface Locked {
  readonly store: ObjectStore;
  readonly retention: RetentionControl;
  readonly options: S3Options;
}

async function lockedStore(mode: "governance" | "compliance" = "compliance"): Promise<Locked> {
  const options = newBucket(gateway, { objectLock: { mode }, prefix: "ours" });
  await prepareBucket(options);
  const store = await openStore(options);
  onTestFinished(() => store.close());
  const { retention } = store;
  if (retention === undefined) throw new Error("the store cannot hold objects");
  return { store, retention, options };
}

const entry = (kind: "Version" | "DeleteMarker", key: string, id: string) =>
  `<${kind}><Key>${key}</Key><VersionId>${id}</VersionId></${kind}>`;
const page = (entries: string, next = "") =>
  `<ListVersionsResult>${entries}<IsTruncated>${next !== ""}</IsTruncated>${next}</ListVersionsResult>`;

const put = (store: ObjectStore, key: string, retainUntil?: Date) =>
  store.put(key, [Buffer.from(key)], { ifAbsent: true, signal, ...(retainUntil === undefined ? {} : { retainUntil }) });

async function versionsOf({ bucket }: S3Options): Promise<number> {
  const { Versions = [], DeleteMarkers = [] } = await clientOf(gateway).listObjectVersions({ Bucket: bucket });
  return Versions.length + DeleteMarkers.length;
}

describe("object lock", () => {
  test.each(["governance", "compliance"] as const)("what is held cannot be deleted (%s)", async (mode) => {
    const { store, options } = await lockedStore(mode);
    await put(store, "packs/held", inMinutes(60));
    await expect(store.delete("packs/held", { signal })).rejects.toMatchObject({
      code: "E_STORE_PERMISSION",
      retry: "never",
      message: expect.stringContaining("is held until"),
    });
    // Not hidden either.
    expect(text(await store.get("packs/held", { signal }))).toBe("packs/held");
    expect(await versionsOf(options)).toBe(1);
    const client = clientOf(gateway);
    const object = { Bucket: options.bucket, Key: "ours/packs/held" };
    const { VersionId } = await client.headObject(object);
    await expect(client.deleteObject({ ...object, VersionId })).rejects.toMatchObject({ name: "AccessDenied" });
    const { ObjectLockMode } = await client.headObject(object);
    expect(ObjectLockMode).toBe(mode.toUpperCase());
  });

  test("what is not held is deleted with all its versions, and its space is free", async () => {
    const { store, options } = await lockedStore();
    for (const round of [1, 2, 3]) {
      await store.put("a", [Buffer.from(`${round}`)], { ifAbsent: false, signal });
      await store.put("ab", [Buffer.from(`${round}`)], { ifAbsent: false, signal });
    }
    await clientOf(gateway).deleteObject({ Bucket: options.bucket, Key: "ours/a" });
    expect(await versionsOf(options)).toBe(7);
    await store.delete("a", { signal });
    expect(await versionsOf(options)).toBe(3);
    expect(text(await store.get("ab", { signal }))).toBe("3");
    await store.delete("ab", { signal });
    expect(await versionsOf(options)).toBe(0);
  });

  test("versions go from the oldest, what hides them last, and no neighbour is touched, over all pages", async () => {
    const { proxy, store } = await storeBehindProxy({ objectLock: { mode: "governance" } });
    const pages = [
      page(
        entry("DeleteMarker", "a", "m3") + entry("Version", "a", "v2"),
        "<NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>v2</NextVersionIdMarker>",
      ),
      page(
        entry("DeleteMarker", "a", "m1") + entry("Version", "a", "v0") + entry("Version", "ab", "v9"),
        "<NextKeyMarker>ab</NextKeyMarker><NextVersionIdMarker>v9</NextVersionIdMarker>",
      ),
    ].values();
    proxy.fault = ({ method, url }) =>
      method === "GET" && url.includes("versions=")
        ? { kind: "answer", status: 200, body: pages.next().value ?? "" }
        : undefined;
    const before = proxy.requests.length;
    await store.delete("a", { signal });
    const asked = proxy.requests.filter(({ url }) => url.includes("versions="));
    expect(asked.at(-1)?.url).toMatch(/key-marker=a&.*version-id-marker=v2/);
    const gone = proxy.requests.slice(before).filter(({ method }) => method === "DELETE");
    const found = gone.map(({ url }) => /\/([^/?]+)\?.*versionId=(\w+)/.exec(url)?.slice(1).join(" "));
    expect(found).toEqual(["a v0", "a v2", "a m3", "a m1"]);
  });

  test("a hold is extended and never shortened", async () => {
    const { store, retention } = await lockedStore();
    const [soon, later] = [inMinutes(10), inMinutes(20)];
    await put(store, "a");
    expect(await retention.heldUntil("a", { signal })).toBeUndefined();
    await retention.extend("a", soon, { signal });
    const held = async () => (await retention.heldUntil("a", { signal }))?.getTime();
    expect(await held()).toBeGreaterThanOrEqual(soon.getTime());
    await retention.extend("a", later, { signal });
    await retention.extend("a", soon, { signal });
    await retention.extend("a", new Date(0), { signal });
    expect(await held()).toBeGreaterThanOrEqual(later.getTime());
  });

  test("a hold that a shorter one replaced is set again, a limited number of times", async () => {
    const { proxy, store } = await storeBehindProxy({ objectLock: { mode: "governance" } });
    await put(store, "a", inMinutes(1));
    let lost = 2;
    proxy.fault = ({ method, url }) =>
      method === "PUT" && url.includes("retention") && lost-- > 0
        ? { kind: "answer", status: 200, body: "" }
        : undefined;
    const until = inMinutes(30);
    await store.retention?.extend("a", until, { signal });
    expect((await store.retention?.heldUntil("a", { signal }))?.getTime()).toBeGreaterThanOrEqual(until.getTime());
    lost = 100;
    await expect(store.retention?.extend("a", inMinutes(60), { signal })).rejects.toMatchObject({
      code: "E_STORE_UNAVAILABLE",
      message: expect.stringContaining("is not held until"),
    });
  });

  test("of many extensions at once none fails", async () => {
    const { store, retention } = await lockedStore();
    await put(store, "a", inMinutes(1));
    const wanted = [30, 5, 60, 10, 45, 20].map(inMinutes);
    await Promise.all(wanted.map((until) => retention.extend("a", until, { signal })));
    const longest = Math.max(...wanted.map((until) => until.getTime()));
    await retention.extend("a", new Date(longest), { signal });
    expect((await retention.heldUntil("a", { signal }))?.getTime()).toBeGreaterThanOrEqual(longest);
  });

  test("compliance that was set before stays when governance is asked for", async () => {
    const { store, retention, options } = await lockedStore("compliance");
    await put(store, "a", inMinutes(10));
    const mild = await openStore({ ...options, objectLock: { mode: "governance" } });
    onTestFinished(() => mild.close());
    const later = inMinutes(20);
    await mild.retention?.extend("a", later, { signal });
    expect((await retention.heldUntil("a", { signal }))?.getTime()).toBeGreaterThanOrEqual(later.getTime());
    const { ObjectLockMode } = await clientOf(gateway).headObject({ Bucket: options.bucket, Key: "ours/a" });
    expect(ObjectLockMode).toBe("COMPLIANCE");
  });

  test("a date that has passed holds nothing", async () => {
    const { store, retention } = await lockedStore();
    expect(await put(store, "a", inMinutes(-1))).toBe("stored");
    await retention.extend("a", inMinutes(-1), { signal });
    expect(await retention.heldUntil("a", { signal })).toBeUndefined();
    await store.delete("a", { signal });
  });

  test("a large object is held from the start, too", async () => {
    const { store, retention } = await lockedStore();
    const until = inMinutes(10);
    const large = Buffer.alloc(33 * 1024 * 1024);
    await store.put("large", [large], { ifAbsent: true, retainUntil: until, signal });
    expect((await retention.heldUntil("large", { signal }))?.getTime()).toBeGreaterThanOrEqual(until.getTime());
  });

  test("a bucket without it is refused by name, made or not", async () => {
    const options = newBucket(gateway);
    await prepareBucket(options);
    const lock = { ...options, objectLock: { mode: "governance" } } as const;
    const refused = { code: "E_STORE", message: expect.stringContaining("no object lock") };
    await expect(openStore(lock)).rejects.toMatchObject(refused);
    await expect(prepareBucket(lock)).rejects.toMatchObject(refused);
  });

  test("what a thief hides or covers is brought back as the manual says", async () => {
    const { store, options } = await lockedStore();
    for (const key of ["packs/hidden", "packs/covered", "packs/both"]) await put(store, key, inMinutes(10));
    const thief = clientOf(gateway);
    const Bucket = options.bucket;
    await thief.deleteObject({ Bucket, Key: "ours/packs/hidden" });
    await thief.putObject({ Bucket, Key: "ours/packs/covered", Body: "rubbish" });
    await thief.putObject({ Bucket, Key: "ours/packs/both", Body: "rubbish" });
    await thief.deleteObject({ Bucket, Key: "ours/packs/both" });
    expect(await keysOf(store)).toEqual(["packs/covered"]);

    // docs/operations.md: what came after the oldest version of an object, goes.
    const { Versions = [], DeleteMarkers = [] } = await thief.listObjectVersions({ Bucket });
    const kept = new Map(Versions.map(({ Key, VersionId }) => [Key, VersionId]));
    for (const { Key, VersionId } of [...DeleteMarkers, ...Versions]) {
      if (kept.get(Key) !== VersionId) await thief.deleteObject({ Bucket, Key, VersionId });
    }
    expect(await keysOf(store)).toEqual(["packs/both", "packs/covered", "packs/hidden"]);
    for (const key of await keysOf(store)) expect(text(await store.get(key, { signal }))).toBe(key);
  });
});
