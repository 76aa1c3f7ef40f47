import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { PointSummary } from "@ovault/cli";

import { LabRig, until } from "./support/lab-rig.ts";

const POLICIES = `
policies:
  nightly:
    vms: { include: ["tag:backup", "/^db[0-9]+$/"], exclude: ["*-test"] }
    excludeDisks: ["web02_Disk2"]
    schedule:
      - { cron: "0 22 * * 1-6", type: incremental }
      - { cron: "0 22 * * 0", type: full }
    timeZone: Europe/Berlin
    retention: { keepLast: 1 }
    limits: { total: 3, perHost: 3 }
  alone:
    vms: { include: ["web*"], exclude: ["*-test"] }
    limits: { total: 1, finalizing: 0 }
  partial:
    vms: { include: ["web01", "db01", "mail*"] }
    excludeDisks: ["db01_*"]
  nothing:
    vms: { include: ["mail*"] }
`;

interface Result {
  readonly vm: { readonly name: string };
  readonly point: PointSummary | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

const disk = ["-f", "qcow2", "4M"];
let rig: LabRig;
beforeAll(async () => {
  const tags = ["web01", "web02", "web-test"].flatMap((name) => ["--tag", `${name}=backup,lab`]);
  const machines = { web01: [disk], web02: [disk, disk], db01: [disk], "web-test": [disk] };
  rig = await LabRig.start(machines, { start: tags });
  const file = join(rig.labDirectory, "ovault.yaml");
  await writeFile(file, (await readFile(file, "utf8")) + POLICIES);
});
afterAll(() => rig.stop());

function names(results: readonly Result[]): readonly string[] {
  return results.map(({ vm }) => vm.name).toSorted();
}

describe("a policy", () => {
  test("backs up what it selects, without the disks it excludes", async () => {
    const results = await rig.json<readonly Result[]>("backup", "--policy", "nightly");
    expect(names(results)).toEqual(["db01", "web01", "web02"]);
    const web02 = results.find(({ vm }) => vm.name === "web02")?.point;
    expect(web02?.disks.map(({ alias }) => alias)).toEqual(["web02_Disk1"]);
    expect(web02?.skipped).toMatchObject([{ alias: "web02_Disk2", reason: "excluded by the user" }]);
    expect(web02?.strategyReason).toBeTypeOf("string");
    expect((await rig.lab.leftovers()).backups).toEqual([]);
  });

  test("is listed with its machines, next runs and last points", async () => {
    const [nightly, ...others] = await rig.json<readonly Record<string, unknown>[]>("policies");
    expect(others.map(({ name }) => name)).toEqual(["alone", "partial", "nothing"]);
    expect(nightly).toMatchObject({
      name: "nightly",
      manager: "lab",
      destination: "main",
      nextRuns: [{}, {}, {}],
      machines: expect.arrayContaining([expect.objectContaining({ name: "web01", tags: ["backup", "lab"] })]),
      withoutPoint: 0,
      leastRecentPointAt: expect.any(String),
      warnings: [],
    });
    expect(others[2]).toMatchObject({ machines: [], warnings: ["policy nothing selects no virtual machine"] });
    const { stdout } = await rig.ovault("policies", "nightly");
    expect(stdout).toMatch(/web01 +up +lab-host +backup, lab +.* \(\d+ min ago\)/);
    const offline = await rig.json<readonly unknown[]>("policies", "partial", "--offline");
    expect(offline).toMatchObject([{ name: "partial", machines: null, withoutPoint: null, nextRuns: [] }]);
  });

  test("with room for one takes one after the other", async () => {
    const results = await rig.json<readonly Result[]>("backup", "--policy", "alone", "--full");
    expect(names(results)).toEqual(["web01", "web02"]);
    const points = results.flatMap(({ point }) => point ?? []).toSorted((a, b) => (a.takenAt < b.takenAt ? -1 : 1));
    const [first, second] = points;
    expect((first?.sealedAt ?? "") <= (second?.takenAt ?? "")).toBe(true);
    expect(points.flatMap(({ disks }) => disks.map(({ mode }) => mode))).toEqual(["full", "full", "full"]);
  });

  test("takes the other machines when one fails, and reports it and selectors without a match", async () => {
    const { exitCode, stdout, stderr } = await rig.ovault("backup", "--policy", "partial", "--json");
    expect(exitCode).toBe(7);
    expect(stderr).toContain('policy partial: no virtual machine is meant by "mail*"');
    const results: readonly Result[] = JSON.parse(stdout);
    expect(results.find(({ vm }) => vm.name === "web01")).toMatchObject({ error: null });
    expect(results.find(({ vm }) => vm.name === "db01")).toMatchObject({ point: null, error: { code: "E_USAGE" } });
    const planned = await rig.ovault("backup", "--policy", "partial", "--dry-run");
    expect(planned.exitCode).toBe(7);
    expect(planned.stdout).toMatch(/db01: failed: db01 has no disk to back up/);
  });

  test("forgets by its own rules, and only points of its machines", async () => {
    const before = await rig.points();
    const { forgotten } = await rig.json<{ forgotten: readonly PointSummary[] }>("forget", "--policy", "nightly");
    expect(forgotten.length).toBeGreaterThan(0);
    const left = await rig.points();
    expect(left.map(({ vm }) => vm.name).toSorted()).toEqual(["db01", "web01", "web02"]);
    expect(before).toHaveLength(left.length + forgotten.length);
  });
});

test.each([
  [["backup", "--policy", "nothing"], "policy nothing selects no virtual machine"],
  [["backup", "--policy", "nigthly"], 'there is no policy "nigthly", did you mean "nightly"?'],
  [["backup", "--policy", "nightly", "web01"], "a policy names its virtual machines"],
  [["backup"], "nothing says what to back up"],
  [["backup", "mail*"], '"mail*" means no virtual machine'],
  [["backup", "/(/"], "is not a regular expression"],
  [["forget", "--policy", "alone"], "policy alone has no retention rules"],
])("%j is refused", async (args, message) => {
  const { exitCode, stderr } = await rig.ovault(...args);
  expect(stderr).toContain(message);
  expect(exitCode).toBe(2);
});

test("machines can be selected on the command line", async () => {
  const plans = await rig.json<readonly Result[]>("backup", "web0?", "tag:lab", "db01", "--dry-run");
  expect(names(plans)).toEqual(["db01", "web-test", "web01", "web02"]);
});

test("an interrupted policy leaves nothing on the manager and seals nothing more", async () => {
  const before = (await rig.points()).length;
  await rig.lab.fault("slow-extents", "on");
  const child = rig.begin("backup", "--policy", "nightly", "--full");
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  await until(async () => (await rig.lab.leftovers()).transfers.length > 0);
  child.kill("SIGINT");
  expect(await exited).toBe(130);
  await rig.lab.fault("slow-extents", "off");
  const left = await rig.lab.leftovers();
  expect([left.backups, left.transfers, left.scratch, left.lockedDisks]).toEqual([[], [], [], []]);
  expect((await rig.points()).length).toBe(before);
});
