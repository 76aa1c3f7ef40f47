import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;
const SNAPSHOTS = ["--strategy", "image-transfer", "--keep-base"];
const CHECKPOINTS = ["--strategy", "changed-block-tracking"];

interface Check {
  readonly name: string;
  readonly status: string;
  readonly detail: string;
  readonly hint: string | null;
}

let site: PracticeSite;
let witness: Witness;
let writes = 0;
beforeAll(async () => {
  site = await PracticeSite.start({
    vms: {
      web01: [
        { format: "qcow2", bytes: 4 * MIB },
        { format: "raw", bytes: MIB + 512 },
      ],
    },
  });
  witness = new Witness(site);
  await site.makeRepository("second");
  await site.configure(({ destinations, ...rest }) => ({
    ...rest,
    destinations: { ...destinations, second: { type: "filesystem", directory: "second" } },
  }));
});
afterAll(() => site.stop());
beforeEach(async () => {
  writes += 1;
  const write = { kind: "random", seed: String(writes), offset: writes * 100_352, length: 65_536 } as const;
  await site.lab.write("web01", "0", write);
});

async function snapshots(): Promise<readonly string[]> {
  return (await site.lab.leftovers()).snapshots;
}

async function modes(...options: readonly string[]): Promise<readonly string[]> {
  const { disks } = await site.backUp("web01", ...options);
  return disks.map(({ mode }) => mode);
}

async function planned(...options: readonly string[]): Promise<readonly unknown[]> {
  const [plan] = JSON.parse(await site.succeed("backup", "web01", ...options, "--dry-run", "--json"));
  return plan.disks;
}

async function checkOfSnapshots(...options: readonly string[]): Promise<Check | undefined> {
  const checks: readonly Check[] = JSON.parse(await site.succeed("doctor", ...options, "--json"));
  return checks.find(({ name }) => name === "lab: snapshots");
}

test("a machine that turns to another strategy keeps nothing of the one before, in either direction", async () => {
  const view = await witness.look("web01");
  expect(await modes(...SNAPSHOTS)).toEqual(["full", "full"]);
  expect(await snapshots()).toHaveLength(1);
  const taken = { action: "compared", reason: expect.stringMatching(/was taken by image-transfer$/) };
  expect(await planned(...CHECKPOINTS)).toMatchObject([taken, { action: "compared" }]);
  expect(await modes(...CHECKPOINTS)).toEqual(["compared", "compared"]);
  await witness.attribute(view);
  expect(await site.remains()).toEqual([]);
  expect(await snapshots()).toEqual([]);
  expect(await modes(...SNAPSHOTS)).toEqual(["compared", "compared"]);
  expect((await site.lab.leftovers()).checkpoints).toEqual([]);
  expect(await modes(...SNAPSHOTS)).toEqual(["incremental", "incremental"]);
  expect(await site.remains()).toEqual([]);
  expect(await checkOfSnapshots()).toMatchObject({ status: "ok", detail: "1, all accounted for" });
});

test("what resists is reported, and goes with the next run", async () => {
  await site.lab.fault("snapshot-removal-failure", "once");
  const { stderr, stdout } = await site.ovault("backup", "web01", ...CHECKPOINTS);
  expect(stdout + stderr).toMatch(/kept for an increment is still there: .*merge of its data failed/);
  expect(await snapshots()).toHaveLength(1);
  expect(await checkOfSnapshots()).toMatchObject({ status: "ok" });
  await site.backUp("web01", ...CHECKPOINTS);
  expect(await site.remains()).toEqual([]);
  expect(await snapshots()).toEqual([]);
});

test("where no increment is planned any more, the last run's snapshot goes with the next point", async () => {
  await site.backUp("web01", ...SNAPSHOTS);
  const planOnce = await planned("--strategy", "image-transfer");
  expect(planOnce).toMatchObject([{ action: "incremental" }, { action: "incremental" }]);
  expect(await modes("--strategy", "image-transfer")).toEqual(["incremental", "incremental"]);
  expect(await snapshots()).toEqual([]);
});

test("two repositories leave each other's snapshots alone, and compare", async () => {
  await site.backUp("web01", ...SNAPSHOTS);
  const [first = ""] = await snapshots();
  expect(await modes(...SNAPSHOTS, "--to", "second")).toEqual(["full", "full"]);
  expect(await snapshots()).toEqual([first, expect.any(String)]);
  expect(await modes(...SNAPSHOTS)).toEqual(["compared", "compared"]);
  expect(await modes(...SNAPSHOTS, "--to", "second")).toEqual(["compared", "compared"]);
  expect(await snapshots()).toHaveLength(2);
  expect(await checkOfSnapshots()).toMatchObject({ status: "ok", detail: "2, all accounted for" });
});

test("a snapshot of a repository that is not here any more is shown, and not touched", async () => {
  await site.configure();
  const before = await snapshots();
  const shown = await checkOfSnapshots("--fix", "--yes");
  expect(shown).toMatchObject({
    status: "warn",
    detail: expect.stringMatching(/^web01: snapshot \S+ of run \S+, made [^,]*$/),
    hint: expect.stringMatching(/another repository.*delete them in the engine/s),
  });
  expect(await snapshots()).toEqual(before);
});

test("one that a newer point has superseded is shown, and removed on request", async () => {
  // As releases left it that knew nothing of other strategies' snapshots.
  await site.lab.fault("snapshot-removal-failure", "once");
  await site.ovault("backup", "web01", ...CHECKPOINTS);
  const ledger = join(site.lab.directory, "state", "ledger");
  for (const file of await readdir(ledger)) await rm(join(ledger, file));
  const before = await snapshots();
  expect(await checkOfSnapshots()).toMatchObject({ status: "warn", detail: expect.stringMatching(/, web01: /) });
  expect(await snapshots()).toEqual(before);
  const fixed = await checkOfSnapshots("--fix", "--yes");
  expect(fixed?.detail).not.toContain(", web01: ");
  expect(await snapshots()).toHaveLength(before.length - 1);
});

test("and what the first point held is still there", async () => {
  expect(await witness.allDiffering()).toEqual([]);
});
