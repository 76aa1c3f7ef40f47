import { appendFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { prune, Redactor, Repository } from "@ovault/core";
import { newPointId } from "@ovault/core/internal/points/point-id";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { forgetJobSchema, Installation, planForget, runForget, summarizeForget } from "@ovault/operations";
import { barePoint } from "@ovault/test-support/repository/bare-point";
import { HoldingStore } from "@ovault/testkit";
import { planByRules, rulesForAll } from "@ovault/operations/internal/forget/forget-plan";

import type { CommandContext } from "../src/command.ts";
import { forgetView } from "../src/commands/forget-view.ts";
import { layOut } from "../src/output/layout.ts";
import { Terminal } from "../src/output/terminal.ts";

const { signal } = new AbortController();

let directory: string;
let context: CommandContext;
let repository: Repository;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-forget-"));
  await createFilesystemDestination(join(directory, "nas"));
  repository = await Repository.create(await FilesystemStore.open(join(directory, "nas")), { signal });
  const redactor = new Redactor();
  const terminal = new Terminal({ out: process.stdout, err: process.stderr }, redactor, { quiet: true });
  context = {
    signal,
    configFile: join(directory, "ovault.yaml"),
    debug: false,
    redactor,
    terminal,
    reporter: terminal,
    emit: () => {},
    interruption: { remainder: () => Promise.resolve([]) },
  };
  await configure("retention: { keepLast: 1 }");
});
afterEach(async () => {
  await repository.close();
  await rm(directory, { recursive: true, force: true });
});

async function configure(...settings: readonly string[]): Promise<void> {
  const lines = ["type: filesystem", "directory: nas", ...settings].map((line) => `    ${line}`);
  await writeFile(context.configFile, ["destinations:", "  nas:", ...lines].join("\n"));
}

/** More lines of ovault.yaml. */
async function append(lines: readonly string[]): Promise<void> {
  await appendFile(context.configFile, ["", ...lines, ""].join("\n"));
}

/** With an id of a release whose ids only the clock made. */
async function sealAsBefore(vm: string, takenAt: string): Promise<string> {
  const id = newPointId(new Date(takenAt), "").slice(0, -1);
  return await seal(vm, takenAt, repository, "lab", id);
}

async function seal(
  vm: string,
  takenAt: string,
  into = repository,
  manager = "lab",
  id = newPointId(new Date(takenAt), "00000000"),
): Promise<string> {
  const machine = { manager, id: `id-of-${vm}`, name: vm };
  const point = barePoint(machine, { id, takenAt: new Date(takenAt), blockBytes: into.settings.blockBytes });
  await into.points.seal(point, signal);
  return point.id;
}

async function forget(
  points: readonly string[],
  { dryRun = false, ...fields }: { dryRun?: boolean; [field: string]: unknown },
) {
  await using installation = await Installation.open(context);
  const job = forgetJobSchema.parse({ kind: "forget", points, ...fields });
  return await (dryRun ? planForget : runForget)(installation, job, context);
}

async function left(): Promise<readonly string[]> {
  return (await repository.points.list(signal)).points.map(({ id }) => id);
}

async function daysKept(timeZone: string): Promise<readonly (readonly string[])[]> {
  const { kept } = await forget([], { keepDaily: 9, timeZone, dryRun: true });
  return kept.map(({ reasons }) => reasons);
}

async function warningsOf(...names: readonly string[]): Promise<readonly string[]> {
  return (await forget(names, { dryRun: true })).warnings;
}

describe("forgetting by rules", () => {
  test("keeps what they say of each machine, and reports why", async () => {
    const [a1, a2, a3, b1] = [
      await seal("web01", "2026-11-19T23:30:00Z"),
      await seal("web01", "2026-11-20T10:00:00Z"),
      await seal("web01", "2026-11-20T22:30:00Z"),
      await seal("db01", "2024-01-01T00:00:00Z"),
    ];
    const rules = { keepDaily: 2, keepYearly: 1, timeZone: "UTC" };
    const planned = await forget([], { ...rules, dryRun: true });
    expect(planned).toMatchObject({
      dryRun: true,
      forgotten: [{ id: a2, vm: { name: "web01" } }],
      kept: [
        { point: { id: b1 }, reasons: ["daily 2024-01-01", "yearly 2024"] },
        { point: { id: a1 }, reasons: ["daily 2026-11-19"] },
        { point: { id: a3 }, reasons: ["daily 2026-11-20", "yearly 2026"] },
      ],
      warnings: [],
    });
    expect((await left()).length).toBe(4);
    expect(await forget([], rules)).toEqual({ ...planned, dryRun: false });
    expect(await left()).toEqual([b1, a1, a3]);
  });

  test("counts days in the time zone that is named", async () => {
    await seal("web01", "2026-11-19T23:30:00Z");
    await seal("web01", "2026-11-20T10:00:00Z");
    await seal("web01", "2026-11-20T23:30:00Z");
    expect(await daysKept("UTC")).toEqual([["daily 2026-11-19"], ["daily 2026-11-20"]]);
    expect(await daysKept("Europe/Berlin")).toEqual([["daily 2026-11-20"], ["daily 2026-11-21"]]);
    await expect(daysKept("Mars/Olympus")).rejects.toMatchObject({ code: "E_USAGE" });
  });

  test("can be for some machines only, by name or id", async () => {
    const [, web2, db1, db2] = [
      await seal("web01", "2026-01-01T00:00:00Z"),
      await seal("web01", "2026-01-02T00:00:00Z"),
      await seal("db01", "2026-01-03T00:00:00Z"),
      await seal("db01", "2026-01-04T00:00:00Z"),
    ];
    await forget([], { keepLast: 1, vms: ["id-of-web01", "web01"] });
    expect(await left()).toEqual([web2, db1, db2]);
    await expect(forget([], { keepLast: 1, vms: ["web1"] })).rejects.toThrow('did you mean "web01"');
  });

  test("can be by those of the destination", async () => {
    await seal("web01", "2026-01-01T00:00:00Z");
    const newest = await seal("web01", "2026-01-02T00:00:00Z");
    await forget([], { retention: true });
    expect(await left()).toEqual([newest]);
    await configure();
    await expect(forget([], { retention: true })).rejects.toMatchObject({
      code: "E_CONFIGURATION",
      message: expect.stringContaining("destination nas has no retention rules"),
    });
  });

  test("never touches a manifest that does not prove itself, and reports it", async () => {
    await seal("web01", "2026-01-01T00:00:00Z");
    const damaged = await seal("web01", "2026-01-02T00:00:00Z");
    const newest = await seal("web01", "2026-01-03T00:00:00Z");
    const folder = join("points", repository.protection.folderOf("id-of-web01"));
    await writeFile(join(directory, "nas", folder, damaged), "nonsense");
    const { warnings } = await forget([], { keepLast: 1 });
    expect(warnings).toEqual([expect.stringContaining(`${folder}/${damaged} is damaged and left alone`)]);
    expect((await readdir(join(directory, "nas", folder))).filter((name) => name.startsWith(damaged))).toEqual([
      damaged,
    ]);
    expect((await repository.points.list(signal)).points.map(({ id }) => id)).toEqual([newest]);
  });
});

async function sealAll(): Promise<readonly string[]> {
  return [
    await seal("web01", "2026-01-01T00:00:00Z"),
    await seal("web01", "2026-02-01T00:00:00Z"),
    await seal("web01", "2026-02-02T00:00:00Z"),
    await seal("web01", "2026-02-03T00:00:00Z"),
    await seal("web02", "2026-02-01T00:00:00Z"),
    await seal("web02", "2026-02-02T00:00:00Z"),
    await seal("web02", "2026-02-03T00:00:00Z"),
    await seal("web-test", "2026-02-01T00:00:00Z"),
    await seal("web-test", "2026-02-02T00:00:00Z"),
  ];
}

describe("forgetting by the rules of policies", () => {
  const policies = [
    "policies:",
    "  nightly: { vms: { include: [web*], exclude: [web-test] }, manager: lab, retention: { keepLast: 2 } }",
    "  monthly: { vms: { include: [web01] }, retention: { keepMonthly: 2 }, timeZone: UTC }",
    "  other: { vms: { include: ['*'] } }",
    "managers: { lab: { type: ovirt } }",
  ];

  test("a machine has those of all its policies, else the destination's", async () => {
    await configure("retention: { keepLast: 1 }");
    await append(policies);
    const [jan, feb1, feb2, feb3, second1, second2, second3, test1, test2] = await sealAll();
    const { forgotten, kept } = await forget([], { retention: true });
    expect(forgotten.map(({ id }) => id).toSorted()).toEqual([feb1, second1, test1].toSorted());
    expect(new Map(kept.map(({ point, reasons }) => [point.id, reasons]))).toEqual(
      new Map([
        [jan, ["monthly: monthly 2026-01"]],
        [feb2, ["nightly: last"]],
        [feb3, ["nightly: last", "monthly: monthly 2026-02"]],
        [second2, ["nightly: last"]],
        [second3, ["nightly: last"]],
        [test2, ["last"]],
      ]),
    );
  });

  test("one policy is for its machines alone, and without the destination's others keep everything", async () => {
    await configure();
    await append(policies);
    const [, feb1, , , second1] = await sealAll();
    const ofOne = await forget([], { policy: "monthly", dryRun: true });
    expect(ofOne.forgotten.map(({ id }) => id)).toEqual([feb1]);
    const ofAll = await forget([], { retention: true });
    expect(ofAll.forgotten.map(({ id }) => id).toSorted()).toEqual([feb1, second1].toSorted());
    await expect(forget([], { policy: "other" })).rejects.toMatchObject({ code: "E_CONFIGURATION" });
    await expect(forget([], { policy: "nightly", from: "nas2" })).rejects.toMatchObject({ code: "E_USAGE" });
  });
});

describe("machines of several managers", () => {
  test("are distinguished where they have one id: the rules keep points of each, and --manager takes one alone", async () => {
    const prod = [await seal("erp", "2026-01-01T00:00:00Z"), await seal("erp", "2026-01-03T00:00:00Z")];
    const dr = [
      await seal("erp", "2026-01-02T00:00:00Z", repository, "dr"),
      await seal("erp", "2026-01-04T00:00:00Z", repository, "dr"),
    ];
    await append([
      "managers: { lab: { type: x }, dr: { type: x } }",
      "policies:",
      "  nightly: { manager: lab, vms: { include: ['*'] }, retention: { keepLast: 1 } }",
      "  weekly: { manager: dr, vms: { include: ['*'] }, retention: { keepLast: 2 } }",
    ]);
    const planned = await forget([], { retention: true, dryRun: true });
    expect(planned.forgotten.map(({ id }) => id)).toEqual([prod[0]]);
    expect(layOut(forgetView(planned))).toContain("erp (id-of-erp of dr)");
    const ofDr = await forget([], { keepLast: 1, manager: "dr", dryRun: true });
    expect(ofDr.forgotten.map(({ id }) => id)).toEqual([dr[0]]);
    await expect(forget(["erp@latest"], {})).rejects.toMatchObject({ code: "E_USAGE" });
    await expect(forget([], { keepLast: 1, vms: ["erp"] })).rejects.toMatchObject({ code: "E_USAGE" });
    await forget(["erp@latest"], { manager: "dr" });
    expect((await left()).toSorted()).toEqual([...prod, dr[0]].toSorted());
  });
});

describe("a machine whose newest point is in doubt", () => {
  test("keeps all of its points, is named with the next step, and does not hold up others", async () => {
    const wrong = await sealAsBefore("web01", "2036-01-01T00:00:00Z");
    const right = await sealAsBefore("web01", "2026-01-01T00:00:00Z");
    const others = [await seal("db01", "2026-01-01T00:00:00Z"), await seal("db01", "2026-01-02T00:00:00Z")];
    const outcome = await forget([], { keepLast: 1 });
    expect(outcome).toMatchObject({
      forgotten: [{ id: others[0] }],
      inDoubt: [{ id: "id-of-web01", name: "web01", manager: "lab" }],
      warnings: [expect.stringMatching(new RegExp(`nothing of web01 .*${wrong}.*forget those by their ids`))],
    });
    expect((await left()).toSorted()).toEqual([wrong, right, others[1]].toSorted());
    await forget([wrong], {});
    expect(await forget([], { keepLast: 1 })).toMatchObject({ forgotten: [], inDoubt: [] });
  });
});

test("what the store holds goes by the rules too, and by prune when its time is over", async () => {
  const store = new HoldingStore();
  const locking = await Repository.create(store, { lockDays: 3, signal });
  const old = await seal("web01", "2026-01-01T00:00:00Z", locking);
  const newest = await seal("web01", "2026-01-03T00:00:00Z", locking);
  // Extends the locks of both.
  await prune(locking, { signal });
  const plan = await planByRules(locking, {
    rules: rulesForAll({ keepLast: 1 }),
    vms: [],
    manager: undefined,
    timeZone: "UTC",
    signal,
  });
  expect(summarizeForget(plan, true)).toMatchObject({
    forgotten: [{ id: old }],
    kept: [{ point: { id: newest } }],
  });
  for (const point of plan.forget) await locking.points.forget(point, signal);
  expect((await locking.points.list(signal)).points.map(({ id }) => id)).toEqual([newest]);
  const held = await prune(locking, { graceMs: 0, signal });
  expect(held).toMatchObject({ deletedPoints: 0, lockedUntil: expect.any(String) });
});

describe("forgetting by name", () => {
  test("takes ids, beginnings of them and VM@latest, each point once", async () => {
    const [old, middle, latest] = [
      await seal("web01", "2025-01-01T00:00:00Z"),
      await seal("web01", "2026-01-02T00:00:00Z"),
      await seal("web01", "2026-02-02T00:00:00Z"),
    ];
    const { forgotten } = await forget([old, "2025", "web01@latest", latest], {});
    expect(forgotten.map(({ id }) => id)).toEqual([old, latest]);
    expect(await left()).toEqual([middle]);
  });

  test("forgets the newest point of a machine only with a warning", async () => {
    const [old, newest] = [await seal("web01", "2026-01-01T00:00:00Z"), await seal("web01", "2026-01-02T00:00:00Z")];
    expect(await warningsOf(old)).toEqual([]);
    expect(await warningsOf(newest)).toEqual([
      `${newest} is the newest point of web01: the next backup starts from an older point, and may have to read everything`,
    ]);
    expect(await warningsOf(old, newest)).toEqual([
      `${newest} is the newest point of web01: the next backup will be full`,
    ]);
    expect((await left()).length).toBe(2);
  });

  test("forgets nothing when one of the names is wrong", async () => {
    const point = await seal("web01", "2026-01-01T00:00:00Z");
    await expect(forget([point, "none"], {})).rejects.toMatchObject({ code: "E_NOT_FOUND" });
    expect(await left()).toEqual([point]);
  });
});

describe("what is forgotten", () => {
  test("is shown with what is kept, machine by machine, and says what frees the space", async () => {
    const [a1, a2] = [await seal("web01", "2026-01-01T12:00:00Z"), await seal("web01", "2026-01-02T12:00:00Z")];
    const b1 = await seal("db01", "2026-01-03T12:00:00Z");
    const planned = layOut(forgetView(await forget([], { keepLast: 1, dryRun: true })));
    expect(planned).toMatch(
      new RegExp(`db01 +${b1} .* kept +last\nweb01 +${a1} .* would go\nweb01 +${a2} .* kept +last\n`),
    );
    expect(planned).toContain("1 recovery point would be forgotten, 2 kept; nothing was changed");
    const done = layOut(forgetView(await forget([], { keepLast: 1 })));
    expect(done).toContain("1 recovery point forgotten, 2 kept; `ovault prune` frees their space");
  });

  test("stays where the destination is set to be read-only", async () => {
    await configure("readOnly: true");
    const point = await seal("web01", "2026-01-01T00:00:00Z");
    await expect(forget([point], {})).rejects.toMatchObject({
      code: "E_STORE_READ_ONLY",
      hint: expect.stringContaining("destinations.nas.readOnly"),
    });
    expect(await left()).toEqual([point]);
  });
});
