import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { PointSummary, PolicySummary, VmSummary } from "@ovault/cli";

import { LabRig } from "./support/lab-rig.ts";

const LAUNCHER = fileURLToPath(new URL("../../packages/cli/bin/ovault.js", import.meta.url));
const withoutProxy = { start: ["--no-proxy"] };
const disk = ["-f", "qcow2", "4M"];

interface Result {
  readonly point: PointSummary;
}

/** The manager that a lab has written for itself, as one line of YAML. */
async function managerOf(rig: LabRig): Promise<string> {
  const text = await readFile(join(rig.labDirectory, "ovault.yaml"), "utf8");
  const url = /url: (\S+)/.exec(text)?.[1];
  const [password, ca] = ["lab-password", "ca.pem"].map((name) => join(rig.labDirectory, name));
  return `type: ovirt, url: "${url}", user: admin@internal, password: { file: ${password} }, ca: { file: ${ca} }, pollMs: 100`;
}

describe("managers with machines of one name, and of one id", () => {
  let here: LabRig;
  let there: LabRig;
  let engine = "";
  let other = "";

  beforeAll(async () => {
    here = await LabRig.start({ web: [disk] }, withoutProxy);
    there = await LabRig.start({ web: [disk], db: [disk] }, withoutProxy);
    [engine, other] = [await managerOf(here), await managerOf(there)];
    // An engine for disaster recovery has the machines of another one, with their ids.
    await configure(`prod: { ${engine} }`, `dr: { ${engine} }`, `test: { ${other} }`);
    await here.json("destination", "init");
  });
  afterAll(() => Promise.all([here.stop(), there.stop()]));

  async function configure(...managers: readonly string[]): Promise<void> {
    const first = /^\w+/.exec(managers[0] ?? "")?.[0];
    await writeFile(
      join(here.labDirectory, "ovault.yaml"),
      [
        "managers:",
        ...managers.map((line) => `  ${line}`),
        "destinations: { main: { type: filesystem, directory: ../repo } }",
        `defaults: { manager: ${first} }`,
        "policies:",
        `  nightly: { manager: ${first}, vms: { include: ["web*"] }, retention: { keepLast: 1 } }`,
        `  weekly: { manager: test, vms: { include: ["*"] }, excludeDisks: ["db_*"], retention: { keepLast: 9 } }`,
        "state: ../state",
      ].join("\n"),
    );
  }

  async function backUp(...args: readonly string[]): Promise<PointSummary> {
    const [result] = await here.json<readonly Result[]>("backup", "web", ...args);
    if (result === undefined) throw new Error("nothing was backed up");
    return result.point;
  }

  test("have increments of their own, and a name of theirs must say whose it is", async () => {
    const [prod, dr, test1] = [await backUp(), await backUp("--manager", "dr"), await backUp("--manager", "test")];
    expect([prod, dr].map(({ vm }) => vm.id)).toEqual([prod.vm.id, prod.vm.id]);
    expect([prod, dr, test1].map(({ basePoint }) => basePoint)).toEqual([null, null, null]);
    const named = [`${prod.vm.id} of prod`, `${prod.vm.id} of dr`, `${test1.vm.id} of test`];
    for (const command of [
      ["restore", "web@latest", "--as", "copy", "--dry-run"],
      ["restore", "web@latest", "--disk", "0", "--to-file", "x.raw"],
      ["forget", "web@latest", "--dry-run"],
      ["forget", "--keep-last", "1", "--vm", "web", "--dry-run"],
      ["show", "web@latest"],
      ["verify", "web@latest"],
      ["points", "web"],
      ["points", prod.vm.id],
    ]) {
      const { exitCode, stderr } = await here.ovault(...command);
      expect([command, exitCode]).toEqual([command, 2]);
      for (const machine of command.includes(prod.vm.id) ? named.slice(0, 2) : named) expect(stderr).toContain(machine);
    }
    expect(await here.json("show", "web@latest", "--manager", "test")).toMatchObject({ id: test1.id });
    expect(await here.json("points", "web", "--manager", "dr")).toMatchObject([{ id: dr.id }]);
    const planned = await here.ovault("restore", "web@latest", "--as", "copy", "--manager", "prod", "--dry-run");
    expect(planned.exitCode).toBe(0);
    const { stdout } = await here.ovault("points");
    expect(stdout).toContain(`web (${prod.vm.id} of prod)`);

    expect((await backUp()).basePoint).toBe(prod.id);
    expect((await backUp("--manager", "dr")).basePoint).toBe(dr.id);
  });

  test("lose no point to each other's rules", async () => {
    await here.json("forget", "--retention");
    const left = await here.json<readonly PointSummary[]>("points");
    expect(left.map(({ vm }) => vm.manager).toSorted()).toEqual(["dr", "dr", "prod", "test"]);
    await here.json("forget", "--keep-last", "1");
    const last = await here.json<readonly PointSummary[]>("points");
    expect(last.map(({ vm }) => vm.manager).toSorted()).toEqual(["dr", "prod", "test"]);
  });

  test("are shown as their policies would take them", async () => {
    const [db, web] = await here.json<readonly VmSummary[]>("vms", "--manager", "test");
    expect(db).toMatchObject({
      policies: ["weekly"],
      disks: [{ verdict: "skip", reason: "excluded by policy weekly" }],
    });
    expect(web).toMatchObject({
      policies: ["weekly"],
      disks: [{ verdict: expect.stringMatching(/full|incremental/) }],
    });
    expect(await here.json("vms")).toMatchObject([{ name: "web", policies: ["nightly"] }]);
  });

  test("are missed by their policies when they are gone", async () => {
    const { vm } = await here.json<PointSummary>("show", "web@latest", "--manager", "test");
    await configure(`prod: { ${engine} }`, `dr: { ${engine} }`, `test: { ${engine} }`);
    const gone = `policy weekly: gone from test since their last points: web (${vm.id}, `;
    const [, weekly] = await here.json<readonly PolicySummary[]>("policies");
    expect(weekly).toMatchObject({ gone: [{ id: vm.id, name: "web" }], warnings: [expect.stringContaining(gone)] });
    expect((await here.ovault("backup", "--policy", "weekly", "--dry-run")).stderr).toContain(gone);
    await configure(`prod: { ${engine} }`, `dr: { ${engine} }`, `test: { ${other} }`);
    const [, back] = await here.json<readonly PolicySummary[]>("policies");
    expect(back).toMatchObject({ gone: [], unselected: [], warnings: [] });
  });

  test("keep their points when a manager is renamed, with a warning until its former name is given", async () => {
    const before = await here.json<PointSummary>("show", "web@latest", "--manager", "prod");
    await configure(`berlin: { ${engine} }`, `dr: { ${engine} }`, `test: { ${other} }`);
    const told = /under manager "prod", which ovault.yaml does not have.*formerNames: \[prod\]/;
    for (const command of [["points"], ["policies"], ["backup", "web", "--dry-run"]]) {
      expect((await here.ovault(...command)).stderr).toMatch(told);
    }
    expect((await here.ovault("doctor")).stdout).toMatch(told);
    await configure(`berlin: { formerNames: [prod], ${engine} }`, `dr: { ${engine} }`, `test: { ${other} }`);
    const { stderr } = await here.ovault("points");
    expect(stderr).not.toContain("formerNames");
    expect((await backUp()).basePoint).toBe(before.id);
    const points = await here.json<readonly PointSummary[]>("points", "web", "--manager", "berlin");
    expect(points.map(({ id }) => id)).toContain(before.id);
  });
});

describe("a clock that was ahead and is right again", () => {
  let rig: LabRig;
  beforeAll(async () => {
    rig = await LabRig.start({ web: [disk] }, withoutProxy);
  });
  afterAll(() => rig.stop());

  /** Ten minutes ahead of the clock of this test. */
  async function backUpAhead(): Promise<void> {
    const shift = `const Real = Date, now = () => Real.now() + 600000;
      globalThis.Date = class extends Real { constructor(...args) { super(...(args.length === 0 ? [now()] : args)); } };
      globalThis.Date.now = now;`;
    const env = { ...process.env, OVAULT_CONFIG: join(rig.labDirectory, "ovault.yaml") };
    const imported = ["--import", `data:text/javascript,${encodeURIComponent(shift)}`];
    await promisify(execFile)(process.execPath, [...imported, LAUNCHER, "backup", "web"], { env, cwd: rig.directory });
  }

  test("does not make an older point the latest one, nor the last one go", async () => {
    await backUpAhead();
    await rig.lab.write("web", "0", { offset: 1 << 20, length: 64 << 10, kind: "pattern", pattern: 0x11 });
    const [backup] = await rig.json<readonly Result[]>("backup", "web");
    const [ahead, right] = await rig.points();
    expect(ahead?.takenAt.localeCompare(right?.takenAt ?? "")).toBe(1);
    expect(backup?.point).toMatchObject({ id: right?.id, basePoint: ahead?.id });
    expect(backup?.point.warnings).toEqual([expect.stringContaining("one of the two clocks is wrong")]);
    expect((await rig.restored("web@latest", "0"))[1 << 20]).toBe(0x11);
    await rig.json("forget", "--keep-last", "1");
    expect(await rig.points()).toMatchObject([{ id: right?.id }]);
    const [next] = await rig.json<readonly Result[]>("backup", "web");
    expect(next?.point).toMatchObject({ basePoint: right?.id, warnings: [] });
  });
});

test("disk 1 of eleven is the second as people count, for restores as for the lab", async () => {
  const rig = await LabRig.start({ web: Array.from({ length: 11 }, () => disk) }, withoutProxy);
  try {
    await rig.lab.write("web", "1", { offset: 0, length: 512, kind: "pattern", pattern: 0x22 });
    const [vm] = await rig.json<readonly VmSummary[]>("vms");
    expect(vm?.disks.map(({ alias }) => alias)).toEqual(Array.from({ length: 11 }, (_, at) => `web_Disk${at + 1}`));
    await rig.json("backup", "web", "--exclude-disk", "9");
    const [point] = await rig.points();
    expect(point?.skipped).toMatchObject([{ alias: "web_Disk10" }]);
    expect((await rig.restored("web@latest", "1"))[0]).toBe(0x22);
  } finally {
    await rig.stop();
  }
});
