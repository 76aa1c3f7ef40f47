import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { Bench, never } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const MIB = 1024 * 1024;

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());

function optionsOfHost(more: object): Partial<Bench["options"]> {
  const [[name = "", host = {}] = []] = Object.entries(bench.options.hosts);
  return { hosts: { [name]: { ...host, ...more } } };
}

describe("a host that cannot be used is an error before a snapshot is made", () => {
  test.each([
    ["the key is not the user's", () => ({ privateKey: join(bench.server.home, "host-ed25519") }), "E_SSH_LOGIN"],
    ["the host proves itself with another key", () => ({ hostKey: `SHA256:${"A".repeat(43)}` }), "E_HOST_KEY"],
    ["the engine has no record of the host's key", () => ({ hostKey: undefined }), "E_HYPERVISOR"],
    ["no server listens there", () => ({ port: 1 }), "E_SSH_UNAVAILABLE"],
  ])("%s", async (_, host, code) => {
    const strategy = bench.strategyWith(optionsOfHost(host()));
    const failure: unknown = await bench.backup({ strategy }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "E_HYPERVISOR", message: expect.stringContaining("lab-host") });
    expect(codesOf(failure)).toContain(code);
    expect(await bench.left("web")).toEqual([]);
  });

  test("no host sees the storage domain", async () => {
    const strategy = bench.strategyWith({ dataCenterDirectory: "/nowhere" });
    await expect(bench.backup({ strategy })).rejects.toMatchObject({
      code: "E_HYPERVISOR",
      message: expect.stringContaining("does not see storage domain lab-storage"),
    });
    expect(await bench.left("web")).toEqual([]);
  });

  test("there are no credentials: no disk is possible", async () => {
    const strategy = bench.strategyWith({ hosts: {} });
    const { disks } = await strategy.assess(await bench.vm(), never);
    expect(disks).toMatchObject([
      { verdict: "impossible", reason: "no credentials for host lab-host" },
      { verdict: "impossible", reason: "no credentials for host lab-host" },
    ]);
  });
});

function codesOf(error: unknown): readonly unknown[] {
  const causes: unknown[] = [];
  for (let one = error; one instanceof Error; one = one.cause) causes.push("code" in one ? one.code : undefined);
  return causes;
}

test("without qemu-nbd the host is refused by name", async () => {
  const tools = join(bench.server.home, "tools");
  await mkdir(tools);
  for (const tool of await readdir("/usr/bin")) {
    if (tool !== "qemu-nbd") await symlink(join("/usr/bin", tool), join(tools, tool));
  }
  const poor = await Bench.open({ sshd: { config: [`SetEnv PATH=${tools}`] } });
  try {
    await expect(poor.backup()).rejects.toThrow("host lab-host has no qemu-nbd");
    expect(await poor.left("web")).toEqual([]);
  } finally {
    await poor.close();
  }
});

test.each([
  ["forwards nothing", ["DisableForwarding yes"]],
  ["allows one session for each connection", ["MaxSessions 1"]],
  ["prints a banner", ["PrintMotd yes", "Banner /etc/passwd"]],
])("a server that %s serves all the same", async (_, config) => {
  const strict = await Bench.open({ sshd: { config } });
  try {
    const first = await strict.backup();
    expect(await differences(strict, first)).toEqual([]);
    await strict.write(0, { kind: "random", seed: "next", offset: 3 * MIB, length: 70_000 });
    const next = await strict.backup({ base: first });
    expect(modesOf(next)).toEqual(["incremental", "incremental"]);
    expect(await differences(strict, next)).toEqual([]);
    expect(await leftBeside(strict, next)).toEqual([]);
  } finally {
    await strict.close();
  }
});

describe("while a disk is read", () => {
  /** Backs up, and does something when the disks are open. */
  async function whenOpen(what: () => Promise<unknown>, strategy = bench.strategy): Promise<unknown> {
    return await bench.backup({ strategy, whenOpen: async () => void (await what()) }).catch((error: unknown) => error);
  }

  afterEach(async () => {
    await bench.removeLeftovers();
    await expect.poll(() => bench.left("web"), { timeout: 20_000 }).toEqual([]);
  });

  test("qemu-nbd is killed: the error is transient and names the host and the disk", async () => {
    const failure = await whenOpen(() => bench.killProcesses());
    expect(failure).toMatchObject({
      code: "E_SERVING",
      retry: "transient",
      message: expect.stringMatching(/host lab-host does not serve disk web_Disk\d any more/),
    });
  });

  test("the host reboots: the error is transient, and nothing is left when it is back", async () => {
    const failure = await whenOpen(() => bench.server.kill());
    expect(failure).toMatchObject({ code: "E_SERVING", retry: "transient", context: { hostName: "lab-host" } });
    // Meanwhile, nothing can be proved.
    const entries = await bench.ledger.abandoned();
    expect(entries.map(({ kind }) => kind)).toContain("host-process");
    const leftovers = await bench.strategy.leftovers(entries, never);
    const process = leftovers.find(({ entry }) => entry.kind === "host-process");
    expect(process).toMatchObject({ gone: false, action: expect.stringContaining("cannot use host lab-host") });
    await expect(process?.remove(never)).rejects.toMatchObject({ code: "E_HYPERVISOR" });
    await bench.server.start();
  });

  test("the host stands still: the read fails after the time limit", async () => {
    const strategy = bench.strategyWith({ timeoutSeconds: 5 });
    const failure = await whenOpen(async () => {
      await bench.server.suspend();
      setTimeout(() => void bench.server.resume(), 12_000);
    }, strategy);
    expect(failure).toMatchObject({ code: "E_SERVING", retry: "transient" });
  });
});
