import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { CommandEnd } from "../support/child-command.ts";
import { PracticeSite } from "../support/practice-site.ts";
import { planStrikes } from "../support/strikes.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;
const TIMEOUT_MS = 30 * 60_000;

let site: PracticeSite;
let witness: Witness;
let point: string;
beforeAll(async () => {
  site = await PracticeSite.start({ vms: { web01: [{ format: "qcow2", bytes: 6 * MIB }] } });
  witness = new Witness(site);
  await guestWrites(0);
  const view = await witness.look("web01");
  point = (await site.backUp("web01")).id;
  await witness.attribute(view);
});
afterAll(() => site.stop());

async function guestWrites(seed: number): Promise<void> {
  await site.lab.write("web01", "0", { kind: "random", seed: `${seed}`, offset: (seed % 4) * MIB, length: 900_096 });
}

function restoreTo(name: string): readonly string[] {
  return ["restore", point, "--disk", "0", "--to-file", `files/${name}`];
}

/** Whether it ended as interrupted: with its message, before it could write one, or when all was done. */
function endedWell({ exitCode, stderr }: CommandEnd): boolean {
  if (exitCode === 130) return stderr.includes("SIGINT: stopping and cleaning up");
  return exitCode === 0 || (exitCode === null && stderr === "");
}

test("SIGINT at any step of a backup leaves nothing, and points that are whole", { timeout: TIMEOUT_MS }, async () => {
  const strikes = await planStrikes(site, ["backup", "web01"], "SIGINT");
  await witness.attribute(await witness.look("web01"));
  for (const [index, planned] of strikes.entries()) {
    await guestWrites(index);
    const view = await witness.look("web01");
    const end = await site.begin(["backup", "web01"], { strike: planned.strike }).ended;
    const found = { title: planned.title, endedWell: endedWell(end), remains: await site.remainsUnknown() };
    expect({ ...found, end }).toEqual({ title: planned.title, endedWell: true, remains: [], end });
    await witness.attribute(view);
  }
  await guestWrites(1_000);
  const view = await witness.look("web01");
  const { id } = await site.backUp("web01");
  expect(await witness.attribute(view)).toEqual([id]);
  expect(await site.remains()).toEqual([]);
  expect(await witness.allDiffering()).toEqual([]);
});

test("SIGINT at any step of a restore leaves no machine and no disk", { timeout: TIMEOUT_MS }, async () => {
  const strikes = await planStrikes(site, ["restore", point, "--as", "unharmed"], "SIGINT");
  const whole = ["unharmed"];
  for (const [index, planned] of strikes.entries()) {
    const name = `struck-${index}`;
    const end = await site.begin(["restore", point, "--as", name], { strike: planned.strike }).ended;
    if (end.exitCode === 0) whole.push(name);
    const found = { title: planned.title, endedWell: endedWell(end), remains: await site.remains(whole) };
    expect({ ...found, end }).toEqual({ title: planned.title, endedWell: true, remains: [], end });
  }
  const differing = await Promise.all(whole.map((name) => witness.vmDiffering(point, name)));
  expect(differing.flat()).toEqual([]);
});

test("SIGINT at any step of a restore to a file leaves the whole file or none", { timeout: TIMEOUT_MS }, async () => {
  const directory = await site.makeDirectory("files");
  const strikes = await planStrikes(site, restoreTo("unharmed"), "SIGINT");
  const whole = ["unharmed"];
  for (const [index, planned] of strikes.entries()) {
    const name = `struck-${index}`;
    const end = await site.begin(restoreTo(name), { strike: planned.strike }).ended;
    if (existsSync(site.file("files", name))) whole.push(name);
    const found = { title: planned.title, endedWell: endedWell(end), files: await readdir(directory) };
    const files = expect.arrayContaining(whole);
    expect({ ...found, end }).toEqual({ title: planned.title, endedWell: true, files, end });
    expect(found.files).toHaveLength(whole.length);
  }
  const differing = await Promise.all(whole.map((name) => witness.fileDiffers(point, 0, site.file("files", name))));
  expect(differing).not.toContain(true);
});
