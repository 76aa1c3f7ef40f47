import { rename } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import { Outage, retrying } from "@ovault/core";
import { keysOf } from "@ovault/testkit";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";

import { openStore } from "./support/open-store.ts";
import { sftpSettings } from "./support/sftp-settings.ts";

/** More than what six calls with their pauses take. */
const OUTAGE_MS = 8_500;
const OBJECTS = 60;

const signal = new AbortController().signal;
let server: OpenSshServer;
beforeAll(async () => {
  server = await OpenSshServer.start();
});
afterAll(() => server.stop());

const outages = {
  "killed and started again": async (ms: number) => {
    await server.kill();
    await delay(ms);
    await server.start();
  },
  "stopped in its tracks for a while": async (ms: number) => {
    await server.suspend();
    await delay(ms);
    await server.resume();
  },
};

describe.each(Object.entries(outages))("an OpenSSH server that is %s in the middle of a run", (_, outage) => {
  test("costs the run some time and nothing else, and is reported once", { timeout: 60_000 }, async () => {
    const reports: string[] = [];
    const observed = new Outage({ begins: () => reports.push("begins"), ends: () => reports.push("ends") });
    const settings = await sftpSettings(server, await server.newDirectory(), { connections: 2, timeoutMs: 3_000 });
    const store = retrying(await openStore(settings), { outage: observed });
    const over = outage(OUTAGE_MS);
    let put = 0;
    const lane = async (): Promise<void> => {
      while (put < OBJECTS) {
        put += 1;
        expect(await putAndGet(store, put)).toBe(true);
        await delay(5);
      }
    };
    await Promise.all([lane(), lane(), lane(), over]);
    expect(await keysOf(store)).toHaveLength(OBJECTS);
    expect(reports).toEqual(["begins", "ends"]);
  });

  test("can be waited for no longer than the user likes", { timeout: 60_000 }, async () => {
    const settings = await sftpSettings(server, await server.newDirectory(), { timeoutMs: 1500 });
    const controller = new AbortController();
    const store = retrying(await openStore(settings), {
      outage: new Outage({ begins: () => controller.abort(new Error("Ctrl-C")), ends: () => undefined }),
    });
    const over = outage(2_000);
    const waiting = (async () => {
      for (;;) await store.stat("nothing", { signal: controller.signal }).catch(unlessNotFound);
    })();
    await expect(waiting).rejects.toThrow("Ctrl-C");
    await over;
  });
});

test("a server that refuses logins while it starts is waited for, and one that never did is not", async () => {
  const settings = await sftpSettings(server, await server.newDirectory());
  const keys = join(server.home, "authorized_keys");
  const bare = await openStore(settings);
  const store = retrying(await openStore(settings));
  await server.kill();
  await rename(keys, `${keys}.away`);
  await server.start();
  await expect(bare.stat("nothing", { signal })).rejects.toMatchObject({
    code: "E_STORE_UNAVAILABLE",
    retry: "transient",
    message: expect.stringMatching(/does not let .* in.*it did before/),
  });
  const put = putAndGet(store, 1);
  await expect(openStore(settings)).rejects.toMatchObject({ code: "E_STORE_PERMISSION", retry: "never" });
  await rename(`${keys}.away`, keys);
  expect(await put).toBe(true);
});

/** True when what was put is what is got. */
async function putAndGet(store: ObjectStore, number: number): Promise<boolean> {
  const key = `packs/${String(number).padStart(4, "0")}`;
  const body = Buffer.alloc(200_000, key);
  await store.put(key, [body], { ifAbsent: true, signal });
  return body.equals(await store.get(key, { signal }));
}

function unlessNotFound(error: unknown): void {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "E_OBJECT_NOT_FOUND") throw error;
}
