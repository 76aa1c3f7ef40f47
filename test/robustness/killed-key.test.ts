import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { expect, onTestFinished, test } from "vitest";

import { openKeyRing, Repository } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";
import { tally } from "@ovault/testkit";

import { secretOf } from "../support/numbered-secret.ts";

const CHANGER = fileURLToPath(new URL("../support/key-changer.ts", import.meta.url));
const KILLS = 6;
const { signal } = new AbortController();

/** Lets keys be changed until so many lines were printed, and a little longer; answers with all lines. */
async function changeKeysUntilKilled(directory: string, round: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [CHANGER, directory, String(round)], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length !== 3 + round) continue;
    await delay(round / 2);
    child.kill("SIGKILL");
    tally("kills");
  }
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
  return lines;
}

test("kill -9 at any moment of adding and removing keys leaves every key that was there, whole", async () => {
  const directory = await mkdtemp(join(tmpdir(), "ovault-keys-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const store = await FilesystemStore.open(directory);
  const first = secretOf("the first");
  await Repository.create(store, { encryption: { secret: first }, signal });
  const kept: string[] = [];
  for (let round = 0; round < KILLS; round += 1) {
    const lines = await changeKeysUntilKilled(directory, round);
    const named = (verb: string) =>
      lines.flatMap((line) => (line.startsWith(verb) ? [line.slice(verb.length + 1)] : []));
    const removed = new Set(named("removing"));
    kept.push(...named("added").filter((name) => !removed.has(name)));
    const { keys, damaged } = await (await openKeyRing(store, { secret: first, signal })).list(signal);
    expect(damaged).toEqual([]);
    expect(keys.map(({ label }) => label)).toEqual(expect.arrayContaining(kept));
  }
  for (const name of kept) {
    const ring = await openKeyRing(store, { secret: secretOf(name), signal });
    expect((await ring.list(signal)).keys.find(({ inUse }) => inUse)?.label).toBe(name);
  }
});
