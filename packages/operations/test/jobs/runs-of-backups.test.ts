import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { LedgerError, StoreFullError, type Strategy, systemClock } from "@ovault/contract";
import type { Ledger } from "@ovault/core";
import { backupJobSchema, CancelledBackupsError, runBackup, type RunEvent } from "@ovault/operations";

import { ModelSite } from "../support/model-site.ts";

let site: ModelSite;
beforeEach(async () => {
  site = await ModelSite.open();
});
afterEach(() => site[Symbol.asyncDispose]());

const job = (fields: object) => backupJobSchema.parse({ kind: "backup", ...fields });
const eventsOf = (machine: string): readonly RunEvent[] =>
  site.events.filter((event) => event.machine?.name === machine);

/** A job for both machines, of which one runs at a time. */
async function oneAtATime(): Promise<ReturnType<typeof job>> {
  await site.configure({ policies: { all: { vms: { include: ["web01", "db01"] }, limits: { total: 1 } } } });
  return job({ policy: "all" });
}

/** The machine that runs first, and the one that waits. */
function firstAndSecond(): readonly [string, string] {
  const first = site.events.find(({ kind }) => kind === "opened")?.machine?.name ?? "";
  return [first, first === "web01" ? "db01" : "web01"];
}

describe("a run says what it waits for", () => {
  test("a run that holds the machine", async () => {
    await using installation = await site.installation();
    const vm = { ...site.platform.vm(), id: "web01", name: "web01", manager: "site" };
    const { signal } = site.context;
    const store = await installation.repository();
    const other = await store.beginPoint(vm, { runId: "other", ifBusy: "refuse", clock: systemClock, signal });
    const waits = Promise.withResolvers<RunEvent>();
    const emit = (event: RunEvent): void => {
      site.events.push(event);
      if (event.kind === "phase" && event.phase === "wait") waits.resolve(event);
    };
    const running = runBackup(installation, job({ vms: ["web01"], wait: true }), { ...site.context, emit });
    expect(await waits.promise).toMatchObject({ detail: expect.stringContaining("run other (process") });
    expect(site.events.map(({ kind }) => kind)).toEqual(["started", "phase"]);
    await other.release();
    expect((await running).map(({ error }) => error)).toEqual([null]);
    expect(site.events.filter((event) => event.kind === "phase" && event.phase === "wait")).toHaveLength(1);
  });

  test("a place in the queue", async () => {
    const both = await oneAtATime();
    await using installation = await site.installation();
    await runBackup(installation, both, site.context);
    const [first, second] = firstAndSecond();
    expect(eventsOf(second).slice(0, 2)).toMatchObject([
      { kind: "started", runs: 2 },
      { kind: "phase", phase: "wait", detail: expect.stringContaining("total") },
    ]);
    const waits = eventsOf(second)[1];
    expect(site.events.indexOf(waits as RunEvent)).toBeLessThan(
      site.events.findIndex(({ kind, machine }) => kind === "copied" && machine?.name === first),
    );
    expect(eventsOf(second).at(-1)).toMatchObject({ kind: "finished" });
  });

  test("the removal of leftovers, while it lasts", async () => {
    await using installation = await site.installation();
    const run = await (await installation.ledger()).forRun({ runId: "dead", manager: "site", strategy: "model" });
    await run.open({ kind: "backup", title: "backup of web01", detail: {} });
    await run.end();
    const before: RunEvent[] = [];
    const found = site.strategy.leftovers.bind(site.strategy);
    const leftovers: Strategy["leftovers"] = async (entries, _, onWait) => {
      onWait?.("a disk that is locked");
      before.push(...site.events);
      return await found(entries);
    };
    Object.assign(site.strategy, { leftovers });
    await runBackup(installation, job({ vms: ["web01"] }), site.context);
    expect(before).toMatchObject([{ kind: "started" }, { kind: "note", message: expect.stringContaining("locked") }]);
  });
});

describe("every run of a job that the job knows ends", () => {
  test("when it is cancelled in the queue, at once", async () => {
    const both = await oneAtATime();
    await using installation = await site.installation();
    site.platform.step = (name) => {
      if (name === "read") site.controller.abort(new Error("the server stops"));
    };
    await expect(runBackup(installation, both, site.context)).rejects.toMatchObject({ code: "E_CANCELLED" });
    for (const machine of ["web01", "db01"]) {
      const events = eventsOf(machine);
      expect(events[0]).toMatchObject({ kind: "started" });
      expect(events.at(-1)).toMatchObject({
        kind: "failed",
        error: { code: "E_CANCELLED", message: "the server stops" },
      });
    }
    const [first, second] = firstAndSecond();
    const ends = site.events.filter(({ kind }) => kind === "failed").map(({ machine }) => machine?.name);
    expect(ends).toEqual([second, first]);
  });

  test("when the job fails before any run has begun its work", async () => {
    await using installation = await site.installation();
    const nowhere = job({ vms: ["web01", "db01"], to: "nowhere" });
    await expect(runBackup(installation, nowhere, site.context)).rejects.toMatchObject({ code: "E_NOT_FOUND" });
    expect(site.events.map(({ kind }) => kind)).toEqual(["started", "started", "failed", "failed"]);
  });
});

/** A ledger whose runs cannot be ended. */
function failing(ledger: Ledger): Ledger {
  return {
    abandoned: () => ledger.abandoned(),
    report: () => ledger.report(),
    resolve: (entry) => ledger.resolve(entry),
    forRun: async (options) => {
      const run = await ledger.forRun(options);
      const end = async (): Promise<never> => {
        await run.end();
        throw new LedgerError("the database is gone");
      };
      return { runId: run.runId, open: (entry) => run.open(entry), outstanding: () => run.outstanding(), end };
    },
  };
}

test("a point that is sealed is a success, though the ledger fails afterwards; the result warns", async () => {
  await using usual = await site.installation();
  await using installation = await site.installation({ ledger: failing(await usual.ledger()) });
  const [result] = await runBackup(installation, job({ vms: ["web01"] }), site.context);
  expect(result).toMatchObject({ error: null, warnings: [expect.stringContaining("the database is gone")] });
  expect(site.events.at(-1)).toMatchObject({ kind: "finished", result: result?.point });
});

describe("an abort", () => {
  test.each([
    ["when the run is finished", (event: RunEvent) => event.kind === "finished"],
    ["once the point is sealed", (event: RunEvent) => event.kind === "phase" && event.phase === "retire"],
  ])("%s changes nothing", async (_, isNow) => {
    await using installation = await site.installation();
    const emit = (event: RunEvent): void => {
      site.events.push(event);
      if (isNow(event)) site.controller.abort();
    };
    const [result] = await runBackup(installation, job({ vms: ["web01"] }), { ...site.context, emit });
    expect(result).toMatchObject({ error: null, point: { vm: { name: "web01" } } });
    expect(site.events.at(-1)?.kind).toBe("finished");
  });

  test("after a machine has failed and the rest is done changes nothing either", async () => {
    await using installation = await site.installation();
    let first = true;
    site.platform.step = (name) => {
      if (name !== "instant" || !first) return;
      first = false;
      throw new StoreFullError("no room");
    };
    let ended = 0;
    const emit = (event: RunEvent): void => {
      if (event.kind === "failed" || event.kind === "finished") ended += 1;
      if (ended === 2) site.controller.abort();
    };
    const results = await runBackup(installation, job({ vms: ["*"] }), { ...site.context, emit });
    expect(results.map(({ error }) => error?.code ?? null).toSorted()).toEqual(["E_STORE_FULL", null]);
  });

  test("between two machines rejects, with the point of the one that is done", async () => {
    const both = await oneAtATime();
    await using installation = await site.installation();
    const emit = (event: RunEvent): void => {
      site.events.push(event);
      if (event.kind === "finished") site.controller.abort(new Error("the window is over"));
    };
    const running = runBackup(installation, both, { ...site.context, emit });
    const error: unknown = await running.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CancelledBackupsError);
    expect(error).toMatchObject({ code: "E_CANCELLED", message: "the window is over" });
    const [first, second] = firstAndSecond();
    const results = error instanceof CancelledBackupsError ? error.results : [];
    expect(results.find(({ vm }) => vm.name === first)).toMatchObject({ error: null, point: { vm: { name: first } } });
    expect(results.find(({ vm }) => vm.name === second)).toMatchObject({ error: { code: "E_CANCELLED" }, point: null });
  });
});

/** Empties what it receives. */
function spoil(event: RunEvent): void {
  if (event.kind === "opened" || event.kind === "disks") (event.disks as unknown[]).length = 0;
  if (event.machine !== null) Object.assign(event.machine, { name: "another" });
  if (event.kind === "finished") Object.assign(event.result, { disks: [] });
}

test("what a receiver does to an event reaches neither the run nor its result", async () => {
  await using installation = await site.installation();
  const [result] = await runBackup(installation, job({ vms: ["web01"] }), { ...site.context, emit: spoil });
  expect(result?.opened?.disks).toHaveLength(1);
  expect(result?.point?.disks).toHaveLength(1);
  expect(result?.vm.name).toBe("web01");
});
