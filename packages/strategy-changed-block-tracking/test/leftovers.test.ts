import { afterAll, beforeAll, expect, test } from "vitest";

import { CancelledError, type LedgerEntry } from "@ovault/contract";

import { Bench } from "./support/bench.ts";

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench.close();
});

test("what a dead backup left is found by its tag and removed, and the next backup runs", async () => {
  await bench.backupAndDie();
  expect((await bench.lab.leftovers()).transfers).toHaveLength(2);
  const actions = await bench.removeLeftovers();
  expect(actions[0]).toMatch(/^end backup of web/);
  const left = await bench.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
  expect(await bench.removeLeftovers()).toEqual([]);
  await bench.backup();
});

test("what a dead restore left is removed: uploads, disks and the virtual machine", async () => {
  const taken = await bench.backup();
  const die = bench.restore(taken, "copy", {
    instead: async () => {
      throw new Error("as if killed");
    },
    abandon: true,
  });
  await expect(die).rejects.toThrow("as if killed");
  expect((await bench.lab.leftovers()).unattachedDisks).toHaveLength(2);
  await bench.removeLeftovers();
  const { checkpoints: _, ...left } = await bench.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
});

test("a removal that the engine refuses for now names what it waits for at once, and ends when it is interrupted", async () => {
  await bench.backup();
  const { id: vmId } = await bench.vm();
  const never = new AbortController().signal;
  const [checkpoint] = await bench.manager.api.checkpoints.list(vmId, never);
  const entry: LedgerEntry = {
    id: "1",
    runId: "r1",
    node: "n1",
    manager: "lab",
    strategy: bench.strategy.name,
    kind: "checkpoint",
    title: "checkpoint of web",
    detail: { vmId, checkpointId: checkpoint?.id ?? "" },
    recordedAt: new Date(0).toISOString(),
  };
  const abort = new AbortController();
  const waits: string[] = [];
  const onWait = (what: string): void => {
    waits.push(what);
    abort.abort(new CancelledError("enough"));
  };
  await bench.backup({
    whenOpen: async () => {
      const [leftover] = await bench.strategy.leftovers([entry], never, onWait);
      await expect(leftover?.remove(abort.signal)).rejects.toMatchObject({ code: "E_CANCELLED" });
    },
  });
  expect(waits).toEqual([expect.stringMatching(/^up to \d+ s: /)]);
});

test("an interruption ends the removal of an open backup, which has deadlines of its own", async () => {
  await bench.backupAndDie();
  const never = new AbortController().signal;
  const abort = new AbortController();
  const entries = await bench.ledger.abandoned();
  const backups = entries.filter(({ kind }) => kind === "backup");
  const [leftover] = await bench.strategy.leftovers(backups, never);
  const removal = leftover?.remove(abort.signal);
  abort.abort(new CancelledError("enough"));
  await expect(removal).rejects.toMatchObject({ code: "E_CANCELLED" });
  await bench.removeLeftovers();
  expect(await bench.ledger.abandoned()).toEqual([]);
});
