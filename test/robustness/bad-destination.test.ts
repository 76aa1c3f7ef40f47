import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";
import { Tmpfs } from "../support/tmpfs.ts";
import { treeOf } from "../support/tree.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;

let site: PracticeSite;
let witness: Witness;
beforeAll(async () => {
  site = await PracticeSite.start({ vms: { web01: [{ format: "qcow2", bytes: 8 * MIB }] } });
  witness = new Witness(site);
  await site.lab.write("web01", "0", { kind: "random", seed: "1", offset: 0, length: 3 * MIB });
  const view = await witness.look("web01");
  await site.backUp("web01");
  await witness.attribute(view);
});
afterAll(() => site.stop());
afterEach(() => site.configure());

const inLab = (...names: readonly string[]): string => join(site.lab.directory, ...names);

/** Backups go to another directory until the test is over. */
async function storeTo(directory: string): Promise<void> {
  await site.configure(({ destinations, ...rest }) => ({
    ...rest,
    destinations: { main: { ...destinations.main, directory } },
  }));
}

describe("a destination that is refused before anything is made on the engine", () => {
  test("it is not there", async () => {
    await storeTo("nowhere");
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({
      exitCode: 4,
      code: "E_DESTINATION_MISSING",
      message: expect.stringContaining("nowhere"),
      hint: expect.any(String),
    });
    expect(await site.remains()).toEqual([]);
  });

  test("it is no repository", async () => {
    await mkdir(inLab("photos"));
    await writeFile(inLab("photos", "sea.jpg"), "waves");
    await storeTo("photos");
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({
      exitCode: 4,
      code: "E_NOT_A_REPOSITORY",
      message: expect.any(String),
      hint: expect.any(String),
    });
    expect(await treeOf(inLab("photos"))).toEqual({ "sea.jpg": 5 });
    expect(await site.remains()).toEqual([]);
  });

  test("its format is newer than this release", async () => {
    await site.makeRepository("newer");
    const file = inLab("newer", "ovault-repository");
    await writeFile(file, asVersion(4, await readFile(file, "utf8")));
    const before = await treeOf(inLab("newer"));
    await storeTo("newer");
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({
      exitCode: 4,
      code: "E_REPOSITORY_VERSION",
      message: expect.stringMatching(/3/),
      hint: expect.any(String),
    });
    expect(await treeOf(inLab("newer"))).toEqual(before);
    expect(await site.remains()).toEqual([]);
  });
});

test("a destination that vanishes between two runs is missed, and its points are there when it is back", async () => {
  await rename(site.repositoryDirectory, inLab("moved"));
  expect(await site.fail("backup", "web01")).toMatchObject({ exitCode: 4, code: "E_DESTINATION_MISSING" });
  await rename(inLab("moved"), site.repositoryDirectory);
  expect(await witness.allDiffering()).toEqual([]);
  expect(await site.remains()).toEqual([]);
});

describe("a file system that takes no more", () => {
  let small: Tmpfs | undefined;
  beforeAll(async () => {
    small = await Tmpfs.mount(inLab("small"), 2 * MIB);
  });
  afterAll(async () => {
    await small?.unmount();
  });
  beforeEach(async (context) => {
    if (small === undefined) context.skip("tmpfs cannot be mounted here");
    else await storeTo("small");
  });

  test("full: no point, nothing left on the engine, and a run that works once there is space", async () => {
    await site.makeRepository("small");
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({
      exitCode: 4,
      code: "E_STORE_FULL",
      message: expect.stringContaining("small"),
      hint: expect.any(String),
    });
    expect(JSON.parse(await site.succeed("points", "--json"))).toEqual([]);
    expect(await site.remains()).toEqual([]);
    await small?.remount(`size=${32 * MIB}`);
    const { disks } = await site.backUp("web01");
    expect(disks).toMatchObject([{ mode: "full" }]);
    await site.succeed("verify", "--all");
  });

  test("read-only: backups are refused, and restores go on", async () => {
    await small?.remount("ro");
    const before = await treeOf(inLab("small"));
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({
      exitCode: 4,
      code: "E_STORE_READ_ONLY",
      message: expect.stringContaining("small"),
      hint: expect.any(String),
    });
    const file = site.file("from-read-only.raw");
    await site.succeed("restore", "web01@latest", "--disk", "0", "--to-file", file);
    expect(await witness.fileDiffers(witness.points[0] ?? "", 0, file)).toBe(false);
    expect(await treeOf(inLab("small"))).toEqual(before);
    await small?.remount("rw");
  });
});

/** The same document under another version of the format, with the digest that belongs to it. */
function asVersion(version: number, document: string): string {
  const [header = "", ...rest] = document.split("\n");
  const [magic = "", type = ""] = header.split(" ");
  const json = rest.join("\n");
  const digest = createHash("sha256").update(`${type} ${version}\n${json}`).digest("hex");
  return `${magic} ${type} ${version} sha256:${digest}\n${json}`;
}
