import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";
import { parseDocument } from "yaml";

import type { PointSummary } from "@ovault/cli";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";

import { LabRig } from "./support/lab-rig.ts";

/** A machine of the lab, and a server beside it that stands for its guest. */
let rig: LabRig;
let guest: OpenSshServer;

interface Result {
  readonly vm: { readonly name: string };
  readonly point: PointSummary | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

interface Machine {
  readonly name: string;
  readonly strategy: string;
  readonly strategyReason: string;
  readonly disks: readonly { readonly verdict: string; readonly reason: string }[];
  readonly rejected: readonly { readonly strategy: string; readonly disks: readonly { readonly reason: string }[] }[];
}

const qcow2 = ["-f", "qcow2", "4M"];
const raw = ["-f", "raw", "2M"];

beforeAll(async () => {
  guest = await OpenSshServer.start();
  rig = await LabRig.start({ web01: [qcow2, raw], web02: [qcow2], db01: [raw] });
  const file = join(rig.labDirectory, "ovault.yaml");
  const configured = parseDocument(await readFile(file, "utf8"));
  configured.deleteIn(["strategies", "ssh-transfer"]); // no log-ins to hosts: image transfer comes next
  configured.setIn(["policies"], policies());
  await writeFile(file, configured.toString());
});
afterAll(async () => {
  await rig.stop();
  await guest.stop();
});

/** What a policy's commands write: on this machine, and in the guest. */
function notes(place: "node" | "guest"): string {
  return place === "node" ? rig.file("notes") : join(guest.home, "notes");
}

function noting(text: string, file: string): { readonly run: string; readonly shell: true } {
  return { run: `echo "${text} $OVAULT_PHASE $OVAULT_VM" >> ${file}`, shell: true };
}

/** Fails for one machine. */
function unless(name: string): object {
  return { name: "unless", run: `test "$OVAULT_VM" != ${name}`, shell: true };
}

function policies(): object {
  const here = { name: "here", ...noting("here", notes("node")) };
  const { port, user, home } = guest;
  const ssh = {
    host: "127.0.0.1",
    port,
    user,
    privateKey: join(home, "user"),
    knownHosts: join(home, "known_hosts"),
  };
  const there = { name: "there", ...noting("there", notes("guest")), ssh };
  const all = { include: ["web*", "db*"] };
  return {
    nightly: {
      vms: all,
      schedule: [
        { cron: "0 22 * * 1-6", type: "incremental" },
        { cron: "0 22 * * 0", type: "full" },
      ],
      consistency: { commands: { before: [here, there], after: [there, here] } },
    },
    aborting: { vms: all, consistency: { commands: { before: [here, unless("db01")], after: [here] } } },
    warning: {
      vms: all,
      consistency: { commands: { before: [{ ...unless("db01"), onFailure: "warn" }] } },
    },
  };
}

async function write(vm: string, disk: string, seed: string): Promise<void> {
  await rig.lab.write(vm, disk, { kind: "random", seed, offset: 700_416, length: 300_032 });
}

async function diskIds(vm: string): Promise<readonly string[]> {
  const { vms } = await rig.lab.status();
  return vms.find(({ name }) => name === vm)?.disks.map(({ id }) => id) ?? [];
}

test("full and increment by image transfer: both give back every byte, as files and as a new machine", async () => {
  const points: { readonly id: string; readonly views: readonly Buffer[] }[] = [];
  for (const mode of ["full", "incremental"]) {
    for (const disk of ["0", "1"]) await write("web01", disk, `${mode} ${disk}`);
    const views: Buffer[] = [];
    for (const id of await diskIds("web01")) views.push(await rig.view(id));
    const options = ["--strategy", "image-transfer", "--keep-base"];
    const [result] = await rig.json<readonly Result[]>("backup", "web01", ...options);
    expect(result?.point).toMatchObject({ strategy: "image-transfer", disks: [{ mode }, { mode }] });
    points.push({ id: result?.point?.id ?? "", views });
  }
  for (const { id, views } of points) {
    for (const [disk, view] of views.entries()) {
      expect((await rig.restored(id, String(disk))).equals(view)).toBe(true);
    }
  }
  const last = points[1];
  await rig.json("restore", last?.id ?? "", "--as", "copy");
  for (const [index, id] of (await diskIds("copy")).entries()) {
    expect((await rig.view(id)).equals(last?.views[index] ?? Buffer.of())).toBe(true);
  }
  const { snapshots, vms: made, ...left } = await rig.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
  expect(snapshots).toHaveLength(1);
  expect(made).toEqual(["copy"]);
});

test("a policy that schedules increments: machines are taken by what is best for each, with commands here and in the guest", async () => {
  const vms = await rig.json<readonly Machine[]>("vms");
  expect(vms.find(({ name }) => name === "db01")).toMatchObject({
    strategy: "image-transfer",
    strategyReason: expect.stringMatching(/^best for its disks: 1 incremental \(changed-block-tracking: 1 full; /),
    disks: [{ verdict: "incremental", reason: expect.stringContaining("snapshot that is kept") }],
    rejected: expect.arrayContaining([
      expect.objectContaining({
        strategy: "changed-block-tracking",
        disks: [expect.objectContaining({ reason: expect.stringContaining("raw disk") })],
      }),
    ]),
  });
  expect(vms.find(({ name }) => name === "web02")?.strategy).toBe("changed-block-tracking");
  const results = await rig.json<readonly Result[]>("backup", "--policy", "nightly");
  expect(results.map(({ vm, point }) => `${vm.name} ${point?.strategy}`).toSorted()).toEqual([
    "db01 image-transfer",
    "web01 image-transfer",
    "web02 changed-block-tracking",
  ]);
  for (const place of ["node", "guest"] as const) {
    const lines = (await readFile(notes(place), "utf8")).trim().split("\n");
    const word = place === "node" ? "here" : "there";
    const expected = ["db01", "web01", "web02"].flatMap((vm) => [`${word} after ${vm}`, `${word} before ${vm}`]);
    expect(lines.toSorted()).toEqual(expected.toSorted());
  }
  await write("db01", "0", "between");
  const planned = await rig.ovault("backup", "--policy", "nightly", "--dry-run");
  expect(planned.stdout).toMatch(/db01: image-transfer is best for its disks: 1 incremental/);
  expect(planned.stdout).toMatch(/changed-block-tracking: db01_Disk1: full: /);
  const again = await rig.json<readonly Result[]>("backup", "--policy", "nightly");
  const modes = again.flatMap(({ point }) => point?.disks.map(({ mode }) => mode) ?? []);
  expect(modes).toEqual(["incremental", "incremental", "incremental", "incremental"]);
  const [nightly] = await rig.json<readonly { nextRuns: readonly unknown[] }[]>("policies", "nightly");
  expect(nightly?.nextRuns).toHaveLength(3);
});

test("a command that fails keeps its machine from being taken, and the others are: exit code 7", async () => {
  await writeFile(notes("node"), "");
  const { exitCode, stdout } = await rig.ovault("backup", "--policy", "aborting", "--json");
  expect(exitCode).toBe(7);
  const results: readonly Result[] = JSON.parse(stdout);
  expect(results.find(({ vm }) => vm.name === "db01")).toMatchObject({ point: null, error: { code: "E_COMMAND" } });
  expect(results.filter(({ error }) => error === null)).toHaveLength(2);
  // What was begun for it is ended for it.
  expect((await readFile(notes("node"), "utf8")).split("\n")).toContain("here after db01");
});

test("one that only warns is in the point", async () => {
  const results = await rig.json<readonly Result[]>("backup", "--policy", "warning");
  expect(results.every(({ error }) => error === null)).toBe(true);
  const point = results.find(({ vm }) => vm.name === "db01")?.point;
  expect(point?.warnings).toEqual([expect.stringMatching(/unless/)]);
  // No matter which policy a run is of: one of them schedules increments of these machines, so their snapshots stay.
  const { snapshots, checkpoints: _, vms: __, ...left } = await rig.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
  expect(snapshots).toHaveLength(2);
});
