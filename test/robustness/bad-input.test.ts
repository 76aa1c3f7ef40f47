import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";
import { treeOf } from "../support/tree.ts";

const MIB = 1024 * 1024;

let site: PracticeSite;
let tree: Awaited<ReturnType<typeof treeOf>>;
beforeAll(async () => {
  site = await PracticeSite.start({ vms: { web01: [{ format: "qcow2", bytes: 4 * MIB }] } });
  await site.lab.write("web01", "0", { kind: "random", seed: "1", offset: 0, length: MIB });
  await site.backUp("web01");
});
afterAll(() => site.stop());

beforeEach(async () => {
  tree = await treeOf(site.repositoryDirectory);
});
afterEach(async () => {
  for (const { name } of await site.lab.faults()) await site.lab.fault(name, "off");
  await site.configure();
});

/** What a refused command must leave as it was. */
async function expectUnchanged(): Promise<void> {
  expect(await treeOf(site.repositoryDirectory)).toEqual(tree);
  expect(await site.remains()).toEqual([]);
}

describe("something that is not there", () => {
  test.each([
    ["a virtual machine", ["backup", "web02"], /there is no virtual machine "web02"/],
    ["a disk", ["backup", "web01", "--exclude-disk", "scratch"], /web01 has no disk "scratch"/],
    ["a destination", ["backup", "web01", "--to", "nas"], /there is no destination "nas"/],
    ["a manager", ["backup", "web01", "--manager", "prod"], /there is no manager "prod"/],
    ["a strategy", ["backup", "web01", "--strategy", "magic"], /there is no strategy "magic"/],
    ["a point", ["restore", "20200101", "--as", "new"], /20200101/],
    ["a machine with points", ["restore", "db01@latest", "--as", "new"], /"db01"/],
    ["a disk of a point", ["restore", "web01@latest", "--disk", "7", "--to-file", "f.raw"], /7/],
    ["a cluster", ["restore", "web01@latest", "--as", "new", "--cluster", "Moon"], /Moon/],
    ["a storage domain", ["restore", "web01@latest", "--as", "new", "--storage-domain", "tape"], /tape/],
  ])("%s", async (_, args, message) => {
    const failure = await site.fail(...args);
    expect(failure).toMatchObject({ exitCode: 2, message: expect.stringMatching(message), hint: expect.any(String) });
    await expectUnchanged();
  });
});

describe("a configuration that is not right", () => {
  test("an unknown key is named with its line, its path and the nearest known key", async () => {
    await site.configure(({ managers, ...rest }) => ({ ...rest, managers: { lab: { ...managers.lab, urll: "x" } } }));
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({ exitCode: 2, code: "E_CONFIGURATION" });
    expect(failure.message).toMatch(/line \d+: managers\.lab\.urll: unknown key, did you mean "url"/);
    await expectUnchanged();
  });

  test("a file that is not there", async () => {
    const failure = await site.fail("points", "--config", "elsewhere.yaml");
    expect(failure).toMatchObject({ exitCode: 2, message: expect.stringMatching(/elsewhere\.yaml/) });
  });
});

describe("an engine that does not let us in", () => {
  test("a wrong password", async () => {
    await writeFile(join(site.lab.directory, "wrong"), "not-the-password", { mode: 0o600 });
    await withManager({ password: { file: "wrong" } });
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({ exitCode: 3, code: "E_AUTHENTICATION", hint: expect.any(String) });
    expect(JSON.stringify(failure)).not.toContain("not-the-password");
    await expectUnchanged();
  });

  test.each([
    ["wrong-ca", /127\.0\.0\.1.*not signed by a trusted CA/],
    ["expired-certificate", /127\.0\.0\.1.*expired/],
  ] as const)("a certificate that proves nothing (%s)", async (fault, message) => {
    await site.lab.fault(fault, "on");
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({
      exitCode: 3,
      code: "E_CERTIFICATE",
      message: expect.stringMatching(message),
      hint: expect.any(String),
    });
    await expectUnchanged();
  });

  test("an engine that answers 503 for longer than is waited for", async () => {
    await withManager({ pollMs: 20, restartBudgetMs: 300 });
    await site.lab.fault("engine-503", "on");
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({ exitCode: 3, code: "E_MANAGER_UNAVAILABLE", hint: expect.any(String) });
    expect(failure.message).toMatch(/503/);
    await site.lab.fault("engine-503", "off");
    await expectUnchanged();
  });

  test("an engine that is not there", async () => {
    const port = await freePort();
    await withManager({ url: `https://127.0.0.1:${port}/ovirt-engine/api` });
    const failure = await site.fail("backup", "web01");
    expect(failure).toMatchObject({
      exitCode: 3,
      code: "E_MANAGER_UNAVAILABLE",
      message: expect.stringContaining(`127.0.0.1:${port}`),
      hint: expect.any(String),
    });
    await expectUnchanged();
  });
});

test("a name that is taken is refused before anything is made", async () => {
  const failure = await site.fail("restore", "web01@latest", "--as", "web01");
  expect(failure).toMatchObject({ message: expect.stringMatching(/web01/), hint: expect.any(String) });
  expect(failure.exitCode).toBe(2);
  await expectUnchanged();
});

test("a file that is there is never overwritten", async () => {
  const file = site.file("mine.raw");
  await writeFile(file, "mine");
  const failure = await site.fail("restore", "web01@latest", "--disk", "0", "--to-file", file);
  expect(failure).toMatchObject({ exitCode: 2, message: expect.stringContaining(file) });
  expect(await readFile(file, "utf8")).toBe("mine");
  await rm(file);
});

/** Changes the settings of the manager until the test is over. */
async function withManager(changes: object): Promise<void> {
  await site.configure(({ managers, ...rest }) => ({
    ...rest,
    managers: { lab: { ...managers.lab, ...changes } },
  }));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 1;
}
