import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";

import type { S3Options } from "@ovault/destination-s3";
import { keysOf } from "@ovault/testkit";
import type { RadosGateway } from "@ovault/test-support/rados-gateway";

import { clientOf, newBucket, openStore, prepareBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";
import { storeBehindProxy } from "./support/store-behind-proxy.ts";

const run = promisify(execFile);
const signal = new AbortController().signal;
const HOUR_MS = 60 * 60 * 1000;

let gateway: RadosGateway;
let options: S3Options;
beforeAll(async () => {
  gateway = await sharedGateway();
  options = newBucket(gateway);
  await prepareBucket(options);
});

const hour = (ms: number) => new Date(ms).toISOString().slice(0, 13);
const echo = (text: string) => ({ command: ["echo", text] });

describe("what the gateway refuses", () => {
  test.each([
    ["a wrong secret", "ovault-access-key", "wrong-secret", undefined],
    ["an unknown access key", "nobody", "ovault-secret-key", undefined],
    ["an invalid token", "ovault-access-key", "ovault-secret-key", "garbledtoken"],
  ])("%s is a permission error that shows no secret", async (_, accessKeyId, secretAccessKey, sessionToken) => {
    const credentials = {
      accessKeyId: echo(accessKeyId),
      secretAccessKey: echo(secretAccessKey),
      ...(sessionToken === undefined ? {} : { sessionToken: echo(sessionToken) }),
    };
    const error: unknown = await openStore({ ...options, credentials }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "E_STORE_PERMISSION",
      retry: "never",
      hint: expect.stringContaining("credentials"),
    });
    const shown = JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error);
    expect(shown).not.toMatch(/wrong-secret|ovault-secret-key|garbledtoken/);
  });

  test("a missing bucket is missing when a store is opened, and is not made", async () => {
    const open = openStore(newBucket(gateway));
    await expect(open).rejects.toMatchObject({ code: "E_DESTINATION_MISSING", hint: expect.stringContaining("init") });
  });

  test("a bucket that goes away is missing for every call, never empty", async () => {
    const mine = newBucket(gateway);
    await prepareBucket(mine);
    const store = await openStore(mine);
    onTestFinished(() => store.close());
    const client = clientOf(gateway);
    await client.deleteObject({ Bucket: mine.bucket, Key: "~probe" });
    await client.deleteBucket({ Bucket: mine.bucket });
    const missing = { code: "E_DESTINATION_MISSING", retry: "never" };
    for (const ifAbsent of [true, false]) {
      await expect(store.put("a", [], { ifAbsent, signal })).rejects.toMatchObject(missing);
    }
    await expect(store.get("a", { signal })).rejects.toMatchObject(missing);
    await expect(store.stat("a", { signal })).rejects.toMatchObject(missing);
    await expect(store.delete("a", { signal })).rejects.toMatchObject(missing);
    await expect(keysOf(store)).rejects.toMatchObject(missing);
  });

  test("a clock that is wrong is named, with the right one beside it", async () => {
    const now = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: now + 2 * HOUR_MS });
    onTestFinished(() => void vi.useRealTimers());
    const error: unknown = await openStore(options).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "E_STORE", retry: "never", hint: expect.stringContaining("NTP") });
    expect(String(error)).toContain(`here it is ${hour(now + 2 * HOUR_MS)}`);
    expect(String(error)).toMatch(new RegExp(`there (${hour(now)}|${hour(now + HOUR_MS / 60)})`));
  });

  test("a quota that is used up is a full store", async () => {
    const mine = newBucket(gateway);
    await prepareBucket(mine);
    const store = await openStore(mine);
    onTestFinished(() => store.close());
    const quota = ["--conf", gateway.configFile, "quota"];
    const scope = ["--quota-scope", "bucket", "--bucket", mine.bucket];
    await run("radosgw-admin", [...quota, "set", ...scope, "--max-objects", "2"]);
    await run("radosgw-admin", [...quota, "enable", ...scope]);
    const put = (key: string) => store.put(key, [Buffer.from("x")], { ifAbsent: true, signal });
    const full = async () => {
      for (let i = 0; i < 10; i += 1) await put(`object-${i}`);
    };
    await expect(full()).rejects.toMatchObject({ code: "E_STORE_FULL", retry: "never" });
  });

  test("a storage class that the service does not have is an error with the service's own words", async () => {
    const store = await openStore({ ...options, storageClass: "ONEZONE_IA" });
    onTestFinished(() => store.close());
    expect(await store.put("small", [Buffer.alloc(1000)], { ifAbsent: true, signal })).toBe("stored");
    const large = store.put("large", [Buffer.alloc(1024 * 1024)], { ifAbsent: true, signal });
    await expect(large).rejects.toMatchObject({ code: "E_STORE", context: { status: 400 } });
  });
});

describe("certificates", () => {
  test("one of an unknown authority is refused, with `ca` named", async () => {
    const open = openStore({ ...options, endpoint: gateway.secureEndpoint });
    await expect(open).rejects.toMatchObject({ code: "E_STORE", hint: expect.stringContaining("`ca`") });
  });

  test("one for another host is refused though its CA is trusted", async () => {
    const endpoint = gateway.secureEndpoint.replace("localhost", "127.0.0.1");
    const open = openStore({ ...options, endpoint, ca: { pem: gateway.ca } });
    await expect(open).rejects.toMatchObject({ code: "E_STORE", message: expect.stringContaining("certificate") });
  });

  test("a port that speaks plain HTTP is distinguished from one with TLS", async () => {
    const open = openStore({ ...options, endpoint: gateway.endpoint.replace("http:", "https:") });
    await expect(open).rejects.toMatchObject({ code: "E_STORE", message: expect.stringContaining("TLS") });
  });

  test("a CA file that is not there is an error of the configuration", async () => {
    const open = openStore({ ...options, endpoint: gateway.secureEndpoint, ca: { file: "no-such.pem" } });
    await expect(open).rejects.toMatchObject({ code: "E_CONFIGURATION" });
  });

  test("a closed port is worth another try", async () => {
    const open = openStore({ ...options, endpoint: "http://127.0.0.1:9" });
    await expect(open).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE", retry: "transient" });
  });
});

describe("what other services say", () => {
  test.each([
    [400, "ExpiredToken", "E_STORE_PERMISSION", "renew"],
    [400, "InvalidToken", "E_STORE_PERMISSION", "sessionToken"],
    [403, "InvalidAccessKeyId", "E_STORE_PERMISSION", "accessKeyId"],
    [403, "SignatureDoesNotMatch", "E_STORE_PERMISSION", "secretAccessKey"],
    [403, "SomethingOfItsOwn", "E_STORE_PERMISSION", "credentials"],
    [403, "QuotaExceeded", "E_STORE_FULL", "quota"],
    [507, "XMinioStorageFull", "E_STORE_FULL", "quota"],
    [403, "InvalidObjectState", "E_STORE", "archive"],
  ])("%i %s is %s", async (status, code, expected, hint) => {
    const { proxy, store } = await storeBehindProxy();
    proxy.fault = () => ({
      kind: "answer",
      status,
      code,
      extra: "<CanonicalRequest>x-token:hidden</CanonicalRequest>",
    });
    const error: unknown = await store.get("a", { signal }).catch((reason: unknown) => reason);
    const told = { context: { code, status }, hint: expect.stringContaining(hint) };
    expect(error).toMatchObject({ code: expected, retry: "never", ...told });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hidden");
  });

  test.each([
    ["GET", 400, { code: "AuthorizationHeaderMalformed", extra: "<Region>eu-central-1</Region>" }],
    ["GET", 301, { code: "PermanentRedirect", headers: { "x-amz-bucket-region": "eu-central-1" } }],
    ["HEAD", 301, { headers: { "x-amz-bucket-region": "eu-central-1" } }],
    ["HEAD", 400, { headers: { "x-amz-bucket-region": "eu-central-1" } }],
  ])("the right region is named after the wrong one was asked (%s, %i)", async (method, status, answer) => {
    const { proxy, store } = await storeBehindProxy();
    proxy.fault = () => ({ kind: "answer", status, ...answer });
    const call = method === "HEAD" ? store.stat("a", { signal }) : store.get("a", { signal });
    await expect(call).rejects.toMatchObject({
      code: "E_STORE",
      message: expect.stringContaining("eu-central-1"),
      hint: expect.stringContaining("region: eu-central-1"),
    });
  });

  test("a page of a proxy in place of XML is judged by its status", async () => {
    const { proxy, store } = await storeBehindProxy();
    proxy.fault = () => ({ kind: "answer", status: 503, body: "<html><body>come back later" });
    await expect(store.get("a", { signal })).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE" });
    proxy.fault = () => ({ kind: "answer", status: 404, body: "not here" });
    await expect(store.get("a", { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
  });
});
