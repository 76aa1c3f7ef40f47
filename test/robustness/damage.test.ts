import { cp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";
import { treeOf } from "../support/tree.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;
/** What a backup added to the repository. */
interface Added {
  readonly blocks: string;
  /** Both copies. */
  readonly pages: readonly string[];
  readonly index: string;
  readonly manifest: string;
}

let site: PracticeSite;
let witness: Witness;
let added: Added;
let older: string;
let damaged: string;
beforeAll(async () => {
  site = await PracticeSite.start({ vms: { web01: [{ format: "qcow2", bytes: 4 * MIB }] } });
  witness = new Witness(site);
  older = await backUp(1);
  const before = await treeOf(site.repositoryDirectory);
  damaged = await backUp(2);
  const after = await treeOf(site.repositoryDirectory);
  added = await sortOut(Object.keys(after).filter((name) => !(name in before)));
  await cp(site.repositoryDirectory, site.file("pristine"), { recursive: true });
});
afterAll(() => site.stop());

beforeEach(async () => {
  await rm(site.repositoryDirectory, { recursive: true });
  await cp(site.file("pristine"), site.repositoryDirectory, { recursive: true });
});

async function backUp(megabyte: number, seed = String(megabyte)): Promise<string> {
  await site.lab.write("web01", "0", { kind: "random", seed, offset: megabyte * MIB, length: MIB });
  const view = await witness.look("web01");
  const { id } = await site.backUp("web01");
  await witness.attribute(view);
  return id;
}

async function sortOut(names: readonly string[]): Promise<Added> {
  const found = { blocks: "", pages: [] as string[], index: "", manifest: "" };
  for (const name of names) {
    const path = join(site.repositoryDirectory, name);
    if (name.startsWith("index/")) found.index = path;
    if (name.startsWith("points/")) found.manifest = path;
    if (!name.startsWith("packs/")) continue;
    // Byte 9 of a pack says what it holds: 1 blocks, 2 pages.
    const kind = (await readFile(path))[9];
    if (kind === 1) found.blocks = path;
    if (kind === 2) found.pages.push(path);
  }
  return found;
}

/** One bit of a byte in the middle. */
async function flip(file: string): Promise<void> {
  const handle = await open(file, "r+");
  const offset = Math.floor((await handle.stat()).size / 2);
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset);
  await handle.write(Buffer.of((buffer[0] ?? 0) ^ 0x10), 0, 1, offset);
  await handle.close();
}

async function cut(file: string): Promise<void> {
  await truncate(file, Math.floor((await readFile(file)).length * 0.6));
}

/** One bit of the directory at the end of a pack, which no command reads while the index is whole. */
async function flipDirectory(file: string): Promise<void> {
  const bytes = await readFile(file);
  const at = bytes.length - 60;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

async function garble(file: string): Promise<void> {
  await writeFile(file, "not what was written");
}

interface Report {
  readonly damage: readonly { readonly point: string | null; readonly reason: string }[];
}

async function verifyAll(): Promise<{ readonly exitCode: number | null; readonly report: Report }> {
  const { exitCode, stdout, stderr } = await site.ovault("verify", "--all", "--json");
  if (stdout === "") throw new Error(`verify ended with ${exitCode}: ${stderr}`);
  const report: Report = JSON.parse(stdout);
  return { exitCode, report };
}

describe("damage to what a point is made of", () => {
  test.each([
    ["a flipped bit in a pack", "blocks", flip],
    ["a cut pack", "blocks", cut],
    ["a missing pack", "blocks", rm],
    ["a flipped bit in both packs of pages", "pages", flip],
    ["missing packs of pages", "pages", rm],
  ] as const)("%s is found, never given back, and costs no other point, older or newer", async (_, what, harm) => {
    for (const path of [added[what]].flat()) await harm(path);
    const file = site.file(`refused-${damaged}.raw`);
    const [verified, refused, others] = await Promise.all([
      verifyAll(),
      site.fail("restore", damaged, "--disk", "0", "--to-file", file),
      witness.differing(older),
    ]);
    expect(verified.exitCode).toBe(5);
    expect(verified.report.damage.some(({ point }) => point === damaged)).toBe(true);
    expect(verified.report.damage.some(({ point }) => point === older)).toBe(false);
    expect(refused).toMatchObject({ exitCode: 5, code: expect.stringMatching(/^E_INTEGRITY/) });
    expect(existsSync(file)).toBe(false);
    expect(others).toEqual([]);
    // What the guest has written anew refers to no damaged block; the pages that lead to it are made whole.
    expect(await witness.differing(await backUp(2, "anew"))).toEqual([]);
  });

  test.each([
    ["a flipped bit in a manifest", flip],
    ["a cut manifest", cut],
    ["a garbled manifest", garble],
  ] as const)("%s is found, and is as no point to the next backup", async (_, harm) => {
    await harm(added.manifest);
    const [verified, refused, others] = await Promise.all([
      verifyAll(),
      site.fail("restore", damaged, "--disk", "0", "--to-file", site.file("refused.raw")),
      witness.differing(older),
    ]);
    expect(verified.exitCode).toBe(5);
    expect(verified.report.damage).toMatchObject([{ reason: expect.stringContaining(damaged) }]);
    expect(refused.exitCode).toBe(5);
    expect(others).toEqual([]);
    expect(await witness.differing(await backUp(3))).toEqual([]);
  });
});

describe("damage to what can be made anew", () => {
  test.each([
    ["a flipped bit in one pack of pages", flip],
    ["a missing pack of pages", rm],
  ] as const)("%s is found, and costs no point: there is another one", async (_, harm) => {
    const [pack = "", other = ""] = added.pages;
    await harm(pack);
    const verified = await verifyAll();
    expect(verified.exitCode).toBe(5);
    expect(verified.report.damage).toMatchObject([{ point: null, reason: expect.stringContaining("packs/") }]);
    expect([...(await witness.differing(older)), ...(await witness.differing(damaged))]).toEqual([]);
    // A repair makes the copy anew: then the other one may go too.
    expect((await site.ovault("repair", "--read-data")).exitCode).toBe(0);
    await rm(other);
    expect(await witness.differing(damaged)).toEqual([]);
  });

  test.each([
    ["a flipped bit in an index", flip],
    ["a cut index", cut],
  ] as const)("%s is found, and costs no point", async (_, harm) => {
    await harm(added.index);
    const verified = await verifyAll();
    expect(verified.exitCode).toBe(5);
    expect(verified.report.damage).toMatchObject([{ point: null, reason: expect.stringContaining("index/") }]);
    expect([...(await witness.differing(older)), ...(await witness.differing(damaged))]).toEqual([]);
    expect(await witness.differing(await backUp(3))).toEqual([]);
  });

  test("a flipped bit in the directory of a pack is found, and costs no point", async () => {
    await flipDirectory(added.blocks);
    const verified = await verifyAll();
    expect(verified.exitCode).toBe(5);
    expect(verified.report.damage).toMatchObject([{ point: null, reason: expect.stringContaining("packs/") }]);
    expect(await witness.differing(damaged)).toEqual([]);
  });

  test("a missing index costs nothing", async () => {
    await rm(added.index);
    expect(await verifyAll()).toMatchObject({ exitCode: 0, report: { damage: [] } });
    expect([...(await witness.differing(older)), ...(await witness.differing(damaged))]).toEqual([]);
    expect(await witness.differing(await backUp(3))).toEqual([]);
  });
});
