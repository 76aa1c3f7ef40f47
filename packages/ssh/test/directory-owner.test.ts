import { execFile } from "node:child_process";
import { chown, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, onTestFinished, test } from "vitest";

import { canHaveOtherUsers } from "@ovault/test-support/throw-away-user";

import { newDirectoryName, removeAbandoned } from "../src/tunnel/directory-owner.ts";

const run = promisify(execFile);
const NOBODY = 65_534;
const otherUsers = await canHaveOtherUsers();

/** Names as a process that has ended made them. */
async function namesOfTheDead(count: number): Promise<readonly string[]> {
  const { href } = new URL("../src/tunnel/directory-owner.ts", import.meta.url);
  const script = `const { newDirectoryName } = await import(${JSON.stringify(href)});
    for (let i = 0; i < ${count}; i += 1) console.log(newDirectoryName())`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script]);
  return stdout.trim().split("\n");
}

async function newParent(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "ovault-owner-"));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  return parent;
}

test("directories of processes that have ended go; those of living ones and all else stay", async () => {
  const parent = await newParent();
  const [dead = "", linked = "", file = "", elsewhere = ""] = await namesOfTheDead(4);
  const living = newDirectoryName();
  const otherContainer = elsewhere.replace(/^(ovault-ssh-\w+-\w+)-\w+/, "$1-1");
  const [old, target] = ["ovault-ssh-0123456789abcdef", "target"];
  for (const name of [dead, living, otherContainer, old, target]) await mkdir(join(parent, name));
  await writeFile(join(parent, dead, "key.pub"), "");
  await writeFile(join(parent, target, "kept"), "");
  await symlink(target, join(parent, linked));
  await writeFile(join(parent, file), "");
  await removeAbandoned(parent);
  expect(new Set(await readdir(parent))).toEqual(new Set([living, otherContainer, old, target, linked, file]));
  expect(await readdir(join(parent, target))).toEqual(["kept"]);
});

test.skipIf(!otherUsers)("a directory of another user stays, whatever its name says", async () => {
  const parent = await newParent();
  const [dead = ""] = await namesOfTheDead(1);
  await mkdir(join(parent, dead));
  await chown(join(parent, dead), NOBODY, NOBODY);
  await removeAbandoned(parent);
  expect(await readdir(parent)).toEqual([dead]);
});

test("a name leaves room for a socket in the longest parent directory", () => {
  expect(newDirectoryName().length).toBeLessThanOrEqual(107 - "/socket".length - 51 - "/".length);
});
