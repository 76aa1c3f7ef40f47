import { renameSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { DeadlineError, DestinationMissingError, NotFoundError, StoreFullError, UsageError } from "@ovault/contract";
import { RunQueue } from "@ovault/core";
import { backupJobSchema, errorSummary, planBackups, runBackup, type RunEvent } from "@ovault/operations";

import { ModelSite } from "../support/model-site.ts";

let site: ModelSite;
beforeEach(async () => {
  site = await ModelSite.open();
});
afterEach(() => site[Symbol.asyncDispose]());

const job = (fields: object) => backupJobSchema.parse({ kind: "backup", ...fields });

function eventsOf(machine: string): readonly RunEvent[] {
  return site.events.filter((event) => event.machine?.name === machine);
}

test("each machine of a job is a run, from started to finished, and its last event has the point", async () => {
  await using installation = await site.installation();
  const results = await runBackup(installation, job({ vms: ["web01", "db01"] }), site.context);
  expect(results.map(({ vm, point, error }) => [vm.name, point?.vm.name, error])).toEqual([
    ["web01", "web01", null],
    ["db01", "db01", null],
  ]);
  for (const { vm, opened, point, ...result } of results) {
    const events = eventsOf(vm.name);
    expect(new Set(events.map(({ runId }) => runId)).size).toBe(1);
    expect(events[0]).toMatchObject({ kind: "started", job: "backup", title: vm.name, runs: 2 });
    expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["phase", "disks", "copied"]));
    const disks = [{ diskId: "a", carrier: "memory", mode: "full", reason: point?.disks[0]?.reason }];
    expect(events.filter(({ kind }) => kind === "opened")).toMatchObject([{ strategy: "model", disks }]);
    expect(opened).toEqual({ strategy: "model", point: point?.id, disks });
    expect(result.runId).toBe(events[0]?.runId);
    expect(events.filter(({ kind }) => kind === "progress")).toMatchObject([{ diskId: "a", doneBytes: 100_000 }]);
    expect(events.at(-1)).toMatchObject({ kind: "finished", result: point });
    const { points } = await (await installation.repository()).points.list(site.context.signal);
    expect(points.map(({ runId }) => runId)).toContain(events[0]?.runId);
  }
});

test("a machine that fails does not stop the other, and its error is plain", async () => {
  await using installation = await site.installation();
  let first = true;
  site.platform.step = (name) => {
    if (name !== "instant" || !first) return;
    first = false;
    throw new StoreFullError("no room", { context: { left: 0 } });
  };
  const results = await runBackup(installation, job({ vms: ["*"] }), site.context);
  expect(results.map(({ error }) => error?.code ?? null).toSorted()).toEqual(["E_STORE_FULL", null]);
  const failed = results.find(({ error }) => error !== null);
  expect(eventsOf(failed?.vm.name ?? "").at(-1)).toMatchObject({ kind: "failed", error: failed?.error });
  expect(failed?.error).toMatchObject({ kind: "destination", context: { left: 0 } });
});

test("asks each strategy about a machine once, in a run and in a plan", async () => {
  await using installation = await site.installation();
  await runBackup(installation, job({ vms: ["web01", "db01"] }), site.context);
  expect(site.strategy.assessed).toEqual(["web01", "db01"]);
  await planBackups(installation, job({ vms: ["web01"] }), site.context);
  expect(site.strategy.assessed).toEqual(["web01", "db01", "web01"]);
});

test("a plan changes nothing and has no run", async () => {
  await using installation = await site.installation();
  const [plan] = await planBackups(installation, job({ vms: ["web01"] }), site.context);
  expect(plan).toMatchObject({ vm: { name: "web01" }, disks: [{ id: "a", action: "full" }], error: null });
  expect(site.events).toEqual([]);
  expect((await (await installation.repository()).points.list(site.context.signal)).points).toEqual([]);
});

test("a job that fails before its runs rejects without an event", async () => {
  await using installation = await site.installation();
  await expect(runBackup(installation, job({ vms: ["web02"] }), site.context)).rejects.toThrow(NotFoundError);
  expect(site.events).toEqual([]);
});

test("a job names machines or a policy, whether a schema reads it or code makes it", async () => {
  await using installation = await site.installation();
  expect(() => job({})).toThrow(/nothing says what to back up/);
  expect(() => job({ vms: ["web01"], policy: "nightly" })).toThrow(/a policy names its virtual machines/);
  const unsound = { ...job({ vms: ["web01"] }), vms: [] };
  await expect(runBackup(installation, unsound, site.context)).rejects.toThrow(UsageError);
});

test("the jobs of a process share a queue, so that limits count the runs of all", async () => {
  const limits = { total: 1 };
  const policies = { web: { vms: { include: ["web01"] }, limits }, db: { vms: { include: ["db01"] }, limits } };
  await site.configure({ policies });
  await using installation = await site.installation();
  const context = { ...site.context, queue: new RunQueue({ finalizing: 4 }) };
  await Promise.all(["web", "db"].map((policy) => runBackup(installation, job({ policy }), context)));
  const kinds = site.events.map(({ kind }) => kind).filter((kind) => kind === "opened" || kind === "copied");
  expect(kinds).toEqual(["opened", "copied", "opened", "copied"]);
});

const GONE = new Error("the database is gone");

describe.each([
  ["rejects", () => Promise.reject(GONE)],
  [
    "throws",
    (): never => {
      throw GONE;
    },
  ],
])("a receiver of events that %s", (_, emit) => {
  test("costs no run, and the reporter has it once", async () => {
    await using installation = await site.installation();
    const results = await runBackup(installation, job({ vms: ["web01", "db01"] }), { ...site.context, emit });
    expect(results.map(({ point }) => point === null)).toEqual([false, false]);
    expect(site.notes.filter((line) => line.includes("the database is gone"))).toHaveLength(1);
  });

  test("may be a reporter too", async () => {
    await using installation = await site.installation({ reporter: { note: emit, warn: emit } });
    const context = { ...site.context, reporter: { note: emit, warn: emit }, emit };
    const [result] = await runBackup(installation, job({ vms: ["web01"] }), context);
    expect(result?.point).not.toBeNull();
  });
});

test("what a job says beside its runs is in the events of its first run", async () => {
  await site.configure({ policies: { all: { vms: { include: ["web01", "db01", "mail*"] } } } });
  await using installation = await site.installation();
  const run = await (await installation.ledger()).forRun({ runId: "dead", manager: "site", strategy: "model" });
  await run.open({ kind: "backup", title: "backup of web01", detail: {} });
  await run.end();
  await runBackup(installation, job({ policy: "all" }), site.context);
  const [first] = site.events;
  expect(site.events.filter(({ runId }) => runId === first?.runId).slice(0, 3)).toMatchObject([
    { kind: "started" },
    { kind: "note", message: "removed what an earlier run left: backup of web01" },
    { kind: "warning", of: "job", message: 'policy all: no virtual machine is meant by "mail*"' },
  ]);
  const beside = site.events.filter((event) => event.kind === "note" || event.kind === "warning");
  expect(beside.map(({ runId }) => runId)).toEqual([first?.runId, first?.runId]);
  expect(site.notes).toEqual(beside.map((event) => "message" in event && event.message));
});

/** Reasons of aborts, and the messages that jobs then fail with. */
const REASONS: readonly (readonly [string, unknown, string])[] = [
  ["no reason", undefined, "the job was cancelled"],
  ["an error", new Error("the server stops"), "the server stops"],
  ["an error of ovault that says something else", new StoreFullError("enough"), "enough"],
  ["a text", "stop", "stop"],
  ["a time-out", new DOMException("too late", "TimeoutError"), "too late"],
];

test.each(REASONS)(
  "an abort with %s is a cancellation, in the event and in the rejection",
  async (_, reason, message) => {
    await using installation = await site.installation();
    site.platform.step = (name) => {
      if (name === "read") site.controller.abort(reason);
    };
    const running = runBackup(installation, job({ vms: ["web01"] }), site.context);
    const error: unknown = await running.then(() => undefined).catch((thrown: unknown) => thrown);
    expect(errorSummary(error)).toMatchObject({ code: "E_CANCELLED", kind: "cancelled", message });
    expect(site.events.at(-1)).toMatchObject({
      kind: "failed",
      error: { code: "E_CANCELLED", kind: "cancelled", message },
    });
    const planning = planBackups(installation, job({ vms: ["web01"] }), site.context);
    await expect(planning).rejects.toMatchObject({ code: "E_CANCELLED", message });
  },
);

test("a deadline that the caller's signal states stays what it is", async () => {
  await using installation = await site.installation();
  site.platform.step = () => site.controller.abort(new DeadlineError("the window is over"));
  const running = runBackup(installation, job({ vms: ["web01"] }), site.context);
  await expect(running).rejects.toMatchObject({ code: "E_DEADLINE", message: "the window is over" });
  expect(site.events.at(-1)).toMatchObject({ kind: "failed", error: { code: "E_DEADLINE" } });
});

test("a run that has lost its destination does not block its machine when the destination is back", async () => {
  const directory = join(site.directory, "nas");
  const destinations = { nas: { type: "filesystem", directory, patience: 0 } };
  await site.configure({ destinations });
  await using installation = await site.installation();
  site.platform.step = (name) => {
    if (name === "read") renameSync(directory, `${directory}.away`);
  };
  await expect(runBackup(installation, job({ vms: ["web01"] }), site.context)).rejects.toThrow(DestinationMissingError);
  renameSync(`${directory}.away`, directory);
  site.platform.step = () => undefined;
  const [result] = await runBackup(installation, job({ vms: ["web01"] }), site.context);
  expect(result?.error).toBeNull();
});
