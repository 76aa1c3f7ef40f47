import { randomBytes } from "node:crypto";

import * as fc from "fast-check";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import type { S3Options } from "@ovault/destination-s3";
import { keysOf } from "@ovault/testkit";
import type { RadosGateway } from "@ovault/test-support/rados-gateway";

import type { Fault, FaultProxy, Request } from "./support/fault-proxy.ts";
import { clientOf, openStore } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";
import { storeBehindProxy } from "./support/store-behind-proxy.ts";

const signal = new AbortController().signal;
const MEBIBYTE = 1024 * 1024;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Three parts, the last a short one; of many pieces, none of which ends where a part does. */
const body = Array.from({ length: 37 }, (_, i) => randomBytes(MEBIBYTE + i));
const whole = Buffer.concat(body);

let gateway: RadosGateway;
beforeAll(async () => {
  gateway = await sharedGateway();
});

async function unfinishedUploads({ bucket }: S3Options): Promise<number> {
  const { Uploads = [] } = await clientOf(gateway).listMultipartUploads({ Bucket: bucket });
  return Uploads.length;
}

const put = (store: ObjectStore, ifAbsent: boolean, by = signal) => store.put("large", body, { ifAbsent, signal: by });

const isPart = ({ url }: Request) => url.includes("partNumber=");
const isCompletion = ({ method, url }: Request) => method === "POST" && url.includes("uploadId=");
const isBeginning = ({ method, url }: Request) => method === "POST" && url.includes("uploads");

describe("an object put in parts", () => {
  test("is what was given", async () => {
    const { proxy, store, options } = await storeBehindProxy();
    expect(await put(store, false)).toBe("stored");
    expect(proxy.requests.filter(isPart)).toHaveLength(3);
    expect(whole.equals(await store.get("large", { signal }))).toBe(true);
    expect(await unfinishedUploads(options)).toBe(0);
  });

  test("is put by one request instead where the service ignores the condition on uploads in parts", async () => {
    const { proxy, store, options } = await storeBehindProxy();
    expect(await put(store, true)).toBe("stored");
    expect(await put(store, true)).toBe("exists");
    // The one part is that of the probe.
    expect(proxy.requests.filter(isPart)).toHaveLength(1);
    expect(whole.equals(await store.get("large", { signal }))).toBe(true);
    expect(await unfinishedUploads(options)).toBe(0);
  });

  test("is put if absent where the service looks at the condition", async () => {
    const { proxy, store, options } = await storeBehindProxy();
    // As services do that are newer than this gateway.
    const there = new Set(["~probe"]);
    proxy.fault = (request) => {
      const name = /\/([^/?]+)\?/.exec(request.url)?.[1] ?? "";
      if (!isCompletion(request) || request.headers["if-none-match"] !== "*") return undefined;
      if (there.has(name)) return { kind: "answer", status: 412, code: "PreconditionFailed" };
      there.add(name);
      return undefined;
    };
    expect(await put(store, true)).toBe("stored");
    expect(proxy.requests.filter(isPart)).toHaveLength(4);
    expect(await put(store, true)).toBe("exists");
    expect(whole.equals(await store.get("large", { signal }))).toBe(true);
    expect(await unfinishedUploads(options)).toBe(0);
  });

  test.each([
    ["the second part is refused", isPart, 1],
    ["the last part is refused", isPart, 2],
    ["it cannot be completed", isCompletion, 0],
    ["it cannot begin", isBeginning, 0],
  ] as const)("leaves nothing when %s", async (_, isMeant, nth) => {
    const { proxy, store, options } = await storeBehindProxy();
    failAt(proxy, isMeant, { nth, fault: { kind: "answer", status: 503, code: "SlowDown" } });
    await expect(put(store, false)).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE", retry: "transient" });
    expect(await unfinishedUploads(options)).toBe(0);
    expect(await keysOf(store)).toEqual([]);
  });

  test("leaves nothing when a connection breaks in the middle of a part", async () => {
    const { proxy, store, options } = await storeBehindProxy();
    failAt(proxy, isPart, { nth: 1, fault: { kind: "cut request", afterBytes: MEBIBYTE } });
    await expect(put(store, false)).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE" });
    expect(await unfinishedUploads(options)).toBe(0);
    expect(await keysOf(store)).toEqual([]);
  });

  test("leaves nothing, or all of it, wherever it is aborted", async () => {
    const { proxy, store, options } = await storeBehindProxy();
    // Begin, three parts, complete; the last number aborts after all.
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 5 }), fc.nat(20), async (request, delayMs) => {
        const controller = new AbortController();
        const reason = new Error("enough");
        let seen = 0;
        proxy.fault = () => {
          if (seen === request) setTimeout(() => controller.abort(reason), delayMs);
          seen += 1;
          return undefined;
        };
        const outcome: unknown = await put(store, false, controller.signal).catch((error: unknown) => error);
        proxy.fault = () => undefined;
        expect([reason, "stored"]).toContain(outcome);
        expect(await keysOf(store)).toEqual(outcome === "stored" ? ["large"] : []);
        expect(await unfinishedUploads(options)).toBe(0);
        await store.delete("large", { signal });
      }),
      { numRuns: 8 },
    );
  });
});

/** The fault for one of the requests that are meant; the others pass. */
function failAt(proxy: FaultProxy, isMeant: (request: Request) => boolean, at: { nth: number; fault: Fault }): void {
  let seen = 0;
  proxy.fault = (request) => (isMeant(request) && seen++ === at.nth ? at.fault : undefined);
}

describe("uploads that killed processes left", () => {
  test("are ended a day later when they are ours, and left to others", async () => {
    const { proxy, options } = await storeBehindProxy({ prefix: "ours" });
    const client = clientOf(gateway);
    const names = ["ours/packs/old", "ours/packs/new", "ours/~probe", "ours/Not Ours", "theirs/old"];
    for (const Key of names) await client.createMultipartUpload({ Bucket: options.bucket, Key });
    const aged = new Date(Date.now() - DAY_MS - 1000).toISOString();
    // The gateway does not let a client choose when an upload began.
    const edit = (text: string) =>
      text.replaceAll(/<Upload>.*?<\/Upload>/gs, (upload) =>
        upload.includes("new") ? upload : upload.replace(/<Initiated>.*?</, `<Initiated>${aged}<`),
      );
    proxy.fault = ({ method, url }) =>
      method === "GET" && url.includes("uploads") ? { kind: "edit", edit } : undefined;
    const store = await openStore(options);
    onTestFinished(() => store.close());
    const { Uploads = [] } = await client.listMultipartUploads({ Bucket: options.bucket });
    expect(Uploads.map(({ Key }) => Key)).toEqual(["ours/Not Ours", "ours/packs/new", "theirs/old"]);
  });

  test("do not keep a store from being opened when they cannot be listed or ended", async () => {
    const { proxy, options } = await storeBehindProxy();
    for (const status of [403, 501, 503]) {
      proxy.fault = ({ method, url }) =>
        method === "GET" && url.includes("uploads") ? { kind: "answer", status } : undefined;
      const store = await openStore(options);
      await store.close();
      expect(proxy.requests.at(-1)?.url).toContain("uploads");
    }
  });
});
