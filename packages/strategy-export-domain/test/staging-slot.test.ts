import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { createRunHooks, processIdentity } from "@ovault/contract";
import { FileLedger, type LedgerRun } from "@ovault/core";
import { afterEach, beforeEach, expect, test } from "vitest";

import { optionsSchema } from "../src/options.ts";
import { StagingSlot } from "../src/room/staging-slot.ts";
import { stagingPlaces } from "../src/staging/staging-place.ts";

const MIB = 1024 * 1024;
const { signal } = new AbortController();

let folder: string;
let state: string;
let ledger: LedgerRun;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), "ovault-slots-ledger-"));
  const all = await FileLedger.open(state);
  ledger = await all.forRun({ runId: randomUUID(), manager: "lab", strategy: "export-domain" });
  folder = await mkdtemp(join(tmpdir(), "ovault-slots-"));
});
afterEach(async () => {
  await ledger.end();
  for (const directory of [folder, state]) await rm(directory, { recursive: true });
});

interface Wish {
  readonly concurrent?: number;
  readonly stagingLimit?: number;
  readonly bytes?: number;
  readonly beside?: boolean;
}

function take({ bytes = MIB, beside = false, ...written }: Wish, hooks = createRunHooks(), until = signal) {
  const options = optionsSchema.parse({ staging: folder, ...written });
  const [place = { dataCenter: undefined, folder, exportDomain: undefined }] = stagingPlaces(options);
  const wish = { options, place, title: "the export of web", bytes, beside };
  return StagingSlot.take(wish, { ledger, hooks, signal: until });
}

/** Writes a slot as a process of this node or another would. */
async function plant(name: string, process: object): Promise<void> {
  await mkdir(join(folder, ".ovault"), { recursive: true });
  const holder = { process: { ...processIdentity(), ...process }, title: "the export of db01", bytes: MIB };
  await writeFile(join(folder, ".ovault", name), JSON.stringify(holder));
}

test.each([1, 2])("no more than %i at a time, and all get their turn", async (concurrent) => {
  let now = 0;
  let most = 0;
  await Promise.all(
    [1, 2, 3].map(async () => {
      const slot = await take({ concurrent });
      most = Math.max(most, (now += 1));
      await sleep(50);
      now -= 1;
      await slot.release();
    }),
  );
  expect(most).toBe(concurrent);
  expect(await readdir(join(folder, ".ovault"))).toEqual([]);
});

test("a wait is shown, and ends with the run", async () => {
  const slot = await take({});
  const waits: string[] = [];
  const hooks = createRunHooks();
  hooks.phase.tap("test", ({ detail }) => waits.push(detail));
  await expect(take({}, hooks, AbortSignal.timeout(200))).rejects.toThrow("timeout");
  expect(waits).toEqual([`for room in ${folder}: others are exported`]);
  await slot.release();
});

test("what a dead process, or a power cut, left is free again", async () => {
  await plant("0.slot", { pid: 4_000_000 });
  await (await take({})).release();
  await plant("0.slot", { bootId: "before", pid: process.pid });
  await (await take({})).release();
  await writeFile(join(folder, ".ovault", "0.slot"), "");
  await plant("0.slot.draft.new", { pid: 4_000_000 });
  await (await take({})).release();
  expect(await readdir(join(folder, ".ovault"))).toEqual([]);
});

test("another node, or another container, is refused as long as it is there", async () => {
  await plant("0.slot", { node: "other", bootId: "theirs" });
  await expect(take({ concurrent: 5 })).rejects.toMatchObject({
    code: "E_STAGING",
    message: `another node uses ${folder}: other, for the export of db01`,
  });
});

test("a limit holds for what lies there, what others may put there, and what is to come", async () => {
  await expect(take({ stagingLimit: MIB - 1 })).rejects.toMatchObject({ code: "E_NO_ROOM" });
  const stagingLimit = 2 * MIB + 64 * 1024;
  const first = await take({ stagingLimit, concurrent: 3 });
  const second = await take({ stagingLimit, concurrent: 3 });
  // A restore does not wait for backups, and a backup waits for others.
  await expect(take({ stagingLimit, concurrent: 3, beside: true })).rejects.toMatchObject({ code: "E_NO_ROOM" });
  await expect(take({ stagingLimit, concurrent: 3 }, undefined, AbortSignal.timeout(200))).rejects.toThrow("timeout");
  await second.release();
  await (await take({ stagingLimit, concurrent: 3 })).release();
  await first.release();
  await writeFile(join(folder, "imported"), Buffer.alloc(2 * MIB));
  await expect(take({ stagingLimit })).rejects.toMatchObject({
    code: "E_NO_ROOM",
    hint: expect.stringContaining("delete imported machines"),
  });
  expect(await readdir(join(folder, ".ovault"))).toEqual([]);
});

test("a restore takes no place of a backup", async () => {
  const restore = await take({ beside: true });
  const backup = await take({});
  expect(await readdir(join(folder, ".ovault"))).toEqual(["0.slot", "1.slot"]);
  await backup.release();
  await restore.release();
});

test("a link in the place of the directory, or of a slot, is not followed", async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), "ovault-elsewhere-"));
  try {
    await symlink(elsewhere, join(folder, ".ovault"));
    await expect(take({})).rejects.toThrow(/is a link or no directory/);
    expect(await readdir(elsewhere)).toEqual([]);
    await rm(join(folder, ".ovault"));
    await plant("1.slot", {});
    await symlink(join(folder, ".ovault", "1.slot"), join(folder, ".ovault", "0.slot"));
    await (await take({ concurrent: 1 })).release();
    expect(await readdir(join(folder, ".ovault"))).toEqual(["1.slot"]);
  } finally {
    await rm(elsewhere, { recursive: true });
  }
});

test("a place given back twice is not taken from the next one", async () => {
  const first = await take({});
  await first.release();
  const second = await take({});
  await first.release();
  expect(await readdir(join(folder, ".ovault"))).toEqual(["0.slot"]);
  await second.release();
});

test("the ledger has what is held, and nothing that was refused or given back", async () => {
  await expect(take({ stagingLimit: MIB - 1 })).rejects.toMatchObject({ code: "E_NO_ROOM" });
  expect(await ledger.outstanding()).toEqual([]);
  const slot = await take({});
  expect(await ledger.outstanding()).toMatchObject([{ kind: "staging-slot", detail: { folder } }]);
  await slot.release();
  expect(await ledger.outstanding()).toEqual([]);
});

test("a machine that is larger than the limit is told so, in units that show it", async () => {
  await expect(take({ stagingLimit: 64 * 1024 })).rejects.toMatchObject({
    message: expect.stringMatching(/^this takes up to 1\.0 MiB of staging; the limit is 64\.0 KiB, and \d\.\d KiB lie/),
    hint: "Raise `stagingLimit`: the machine alone needs more.",
  });
});
