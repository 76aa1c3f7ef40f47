import { setTimeout as delay } from "node:timers/promises";

import * as fc from "fast-check";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";

import type { ObjectInfo } from "@ovault/contract";
import { retrying } from "@ovault/core";
import { type SftpSettings, SftpStore } from "@ovault/destination-sftp";
import { keysOf, listed } from "@ovault/testkit";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { until } from "@ovault/test-support/until";

import { UnreliableLink } from "./support/unreliable-link.ts";
import { sftpSettings } from "./support/sftp-settings.ts";

const RUNS = 20;
const LOST = { code: "E_STORE_UNAVAILABLE", retry: "transient" };

const signal = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());

interface Reached {
  readonly link: UnreliableLink;
  /** Over the link. */
  readonly store: SftpStore;
  /** Past it. */
  readonly observer: SftpStore;
}

async function reach(changes: Partial<SftpSettings> = {}): Promise<Reached> {
  const link = await UnreliableLink.to(server.port);
  const near = await sftpSettings(server, await server.newDirectory(), { connections: 1 });
  const observer = await SftpStore.open(near, signal);
  const trust = { fingerprint: await server.fingerprint() };
  const store = await SftpStore.open({ ...near, ...changes, port: link.port, trust }, signal);
  onTestFinished(async () => {
    await link.close();
    await store.close();
    await observer.close();
  });
  return { link, store, observer };
}

const sizes = fc.oneof(fc.nat(100), fc.nat(600_000));
const bytesUntil = fc.oneof(fc.nat(4000), fc.nat(620_000));
/** Anywhere in a call with such an object, in what is answered to it, or in the login that may come before it. */
const break_ = fc.oneof(fc.record({ sent: bytesUntil }), fc.record({ received: bytesUntil }));

let rounds = 0;

/** In a folder that no other round has. */
function newObject(bytes: number): { folder: string; key: string; body: Buffer; info: ObjectInfo } {
  rounds += 1;
  const folder = `cut/${rounds}/`;
  const key = `${folder}object`;
  return { folder, key, body: Buffer.alloc(bytes, `${rounds}.`), info: { key, bytes } };
}

async function outcomeOf<T>(call: Promise<T>): Promise<T | Error> {
  return await call.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
}

function expectLostUnless(good: boolean, outcome: unknown): void {
  expect(good ? LOST : outcome).toMatchObject(LOST);
}

describe("a connection that breaks", () => {
  test("at any byte of a put leaves the whole object or none, and the error says that it may be repeated", async () => {
    const { link, store, observer } = await reach();
    await fc.assert(
      fc.asyncProperty(sizes, break_, fc.boolean(), async (bytes, cut, ifAbsent) => {
        const { folder, key, body, info } = newObject(bytes);
        link.breakAfter(cut);
        const outcome = await outcomeOf(store.put(key, [body], { ifAbsent, signal }));
        link.breakAfter();
        const seen = await listed(observer, folder);
        expect(seen).toEqual(outcome === "stored" || seen.length > 0 ? [info] : []);
        expectLostUnless(outcome === "stored", outcome);
        const found = await outcomeOf(observer.get(key, { signal }));
        expect(found instanceof Error ? [] : [found]).toEqual(seen.map(() => body));
      }),
      { numRuns: RUNS },
    );
  });

  test("at any byte of a get gives all bytes or that error", async () => {
    const { link, store, observer } = await reach();
    const { key, body } = newObject(600_000);
    await observer.put(key, [body], { ifAbsent: true, signal });
    await fc.assert(
      fc.asyncProperty(break_, fc.nat(body.length), async (cut, offset) => {
        link.breakAfter(cut);
        const range = { offset, length: body.length - offset };
        const outcome = await outcomeOf(store.get(key, { range, signal }));
        link.breakAfter();
        const whole = !(outcome instanceof Error) && body.subarray(offset).equals(outcome);
        expectLostUnless(whole, outcome);
      }),
      { numRuns: RUNS },
    );
  });

  test("is nothing to a store that repeats, though it breaks several times", async () => {
    const { link, store } = await reach();
    const patient = retrying(store, { policy: { patienceMs: 60_000, firstDelayMs: 1 } });
    await fc.assert(
      fc.asyncProperty(sizes, fc.array(break_, { minLength: 1, maxLength: 4 }), async (bytes, cuts) => {
        const { folder, key, body, info } = newObject(bytes);
        link.breakAfter(...cuts);
        const outcome = await patient.put(key, [body], { ifAbsent: true, signal });
        expect(outcome).toMatch(/stored|exists/);
        link.breakAfter(...cuts);
        expect(body.equals(await patient.get(key, { signal }))).toBe(true);
        link.breakAfter(...cuts);
        expect(await listed(patient, folder)).toEqual([info]);
        link.breakAfter(...cuts);
        await patient.delete(key, { signal });
        link.breakAfter();
        expect(await keysOf(store, folder)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  test("fails all calls that are under way, and the calls after it share a new one", async () => {
    const { link, store } = await reach();
    link.breakAfter({ sent: 100_000 });
    const { body } = newObject(200_000);
    const puts = ["a", "b", "c"].map((key) => store.put(key, [body], { ifAbsent: true, signal }));
    for (const put of puts) await expect(put).rejects.toMatchObject(LOST);
    const made = link.made;
    await Promise.all(["d", "e", "f"].map((key) => store.put(key, [body], { ifAbsent: true, signal })));
    expect(link.made).toBe(made + 1);
  });

  test("while nothing is under way is replaced when it is needed", async () => {
    const { link, store } = await reach();
    link.breakNow();
    await until("connected anew", async () => !((await outcomeOf(keysOf(store))) instanceof Error));
    expect(link.made).toBe(2);
  });
});

describe("a link that falls silent", () => {
  test("ends calls when nothing was answered for the time that the options tell", async () => {
    const { link, store } = await reach({ timeoutMs: 1000 });
    link.fallSilent();
    await expect(store.stat("a", { signal })).rejects.toMatchObject(LOST);
    await expect(store.stat("a", { signal })).rejects.toMatchObject(LOST);
    link.speakAgain();
    await expect(store.stat("a", { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
  });

  test("holds up no abort and no close, and an aborted put leaves nothing", async () => {
    const { link, store, observer } = await reach();
    const body = Buffer.alloc(5_000_000);
    link.fallSilent();
    const controller = new AbortController();
    const reason = new Error("enough");
    const put = store.put("a", [body], { ifAbsent: true, signal: controller.signal });
    const get = store.get("b", { signal: controller.signal });
    await delay(50);
    controller.abort(reason);
    await expect(put).rejects.toBe(reason);
    await expect(get).rejects.toBe(reason);
    await store.close();
    link.speakAgain();
    expect(await keysOf(observer)).toEqual([]);
  });
});
