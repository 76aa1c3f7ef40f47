import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, onTestFinished, test } from "vitest";

import { processIdentity } from "@ovault/contract";
import { acquireLease } from "@ovault/core/internal/leases/lease";
import { FilesystemStore } from "@ovault/destination-filesystem";
import { listed, tally } from "@ovault/testkit";

import { startChild } from "./support/child.ts";
import { openTemporaryStore } from "./support/temporary-store.ts";

const KILLS = 5;
const ROUNDS = 300;

async function temporaryDirectory(): Promise<string> {
  const { directory, dispose } = await openTemporaryStore();
  onTestFinished(dispose);
  return directory;
}

describe("several processes on one directory", () => {
  test("kill -9 leaves whole objects only, all that were answered, and drafts that the next open removes", async () => {
    const directory = await temporaryDirectory();
    const answered: string[] = [];
    for (let round = 0; round < KILLS; round++) {
      const child = startChild("endless-writer.ts", [directory, `${round}`]);
      answered.push(await child.started);
      await delay(round * 37);
      // Removes the drafts of the killed one before, and none of the living one.
      await FilesystemStore.open(directory);
      child.process.kill("SIGKILL");
      tally("kills");
      answered.push(...(await child.lines));
      expect(child.process.signalCode).toBe("SIGKILL");
    }
    const store = await FilesystemStore.open(directory);
    const objects = await listed(store);
    expect(objects.filter(({ key, bytes }) => !key.endsWith(`.${bytes}`))).toEqual([]);
    const keys = new Set(objects.map((info) => info.key));
    expect(answered.filter((key) => !keys.has(key))).toEqual([]);
    expect(await readdir(join(directory, "~drafts"))).toEqual([]);
  });

  test("the lease of a living process is refused, and taken over at once when it was killed", async () => {
    const directory = await temporaryDirectory();
    const child = startChild("lease-holder.ts", [directory]);
    const generation = Number(await child.started);
    const store = await FilesystemStore.open(directory);
    const acquire = () =>
      acquireLease(store, {
        resource: "vm-1",
        holder: { runId: "next", ...processIdentity() },
        ttlMs: 60_000,
        ifBusy: "refuse",
        signal: new AbortController().signal,
      });
    await expect(acquire()).rejects.toMatchObject({ code: "E_LEASE_HELD", context: { pid: child.process.pid } });
    child.process.kill("SIGKILL");
    tally("kills");
    await child.lines;
    const lease = await acquire();
    expect(lease.generation).toBe(generation + 1);
    await lease.release();
  });

  test.each(["link", "marker"])("two rivals never both win a put-if-absent (%s)", async (way) => {
    const directory = await temporaryDirectory();
    const rivals = ["ann", "bob"];
    const answers = await Promise.all(
      rivals.map((name) => startChild("racing-writer.ts", [directory, name, `${ROUNDS}`, way]).lines),
    );
    for (let round = 0; round < ROUNDS; round++) {
      const winners = rivals.filter((_, i) => answers[i]?.[round] === "stored");
      expect(winners, `round ${round}`).toEqual([await readFile(join(directory, "race", `${round}`), "utf8")]);
    }
  });
});
