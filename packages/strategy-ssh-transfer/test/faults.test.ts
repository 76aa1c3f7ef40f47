import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { openSsh74, type LabHostRequest } from "@ovault/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { freePort } from "@ovault/test-support/free-port";
import { differences as differencesFrom } from "@ovault/testkit-ovirt";

import { Bench, never } from "./support/bench.ts";
import { differences, leftBeside, modesOf } from "./support/findings.ts";

/** A chain of backups is long on a machine that is busy. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const run = promisify(execFile);
const MIB = 1024 * 1024;
/** Event: a snapshot could not be removed. */
const REMOVAL_FAILED = 357;

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());

/** Backs up, and does something when the disks are open. */
async function backupBrokenBy(what: () => Promise<unknown>, strategy = bench.strategy): Promise<unknown> {
  return await bench.backup({ strategy, whenOpen: async () => void (await what()) }).catch((error: unknown) => error);
}

/** As the next run does. */
async function leftAfterwards(): Promise<readonly string[]> {
  await bench.removeLeftovers();
  return await bench.settled("web");
}

describe("a host that cannot be used is an error before a snapshot is made", () => {
  test.each([
    ["the user is not let in", { user: "nobody" }, "E_HYPERVISOR", "E_SSH_LOGIN"],
    [
      "the host proves itself with another key than the pinned one",
      { hostKey: `SHA256:${"A".repeat(43)}` },
      "E_HYPERVISOR_KEY",
      "E_HOST_KEY",
    ],
    ["no server listens there", { port: 1 }, "E_HYPERVISOR", "E_SSH_UNAVAILABLE"],
  ])("%s", async (_, host, code, cause) => {
    const login = { ...bench.site.sshOptions.login, ...host };
    const strategy = bench.strategyWith({ hosts: { "lab-host": login } });
    const failure: unknown = await bench.backup({ strategy }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, message: expect.stringContaining("lab-host") });
    expect(codesOf(failure)).toContain(cause);
    expect(await bench.settled("web")).toEqual([]);
  });

  test("no host sees the storage domain", async () => {
    const strategy = bench.strategyWith({ dataCenterDirectory: "/nowhere" });
    await expect(bench.backup({ strategy })).rejects.toMatchObject({
      code: "E_HYPERVISOR",
      message: expect.stringContaining("does not see storage domain"),
    });
    expect(await bench.settled("web")).toEqual([]);
  });

  test("there are no credentials: no disk is possible", async () => {
    const strategy = bench.strategyWith({ login: undefined });
    const { disks } = await strategy.assess(await bench.vm(), never);
    const reason = expect.stringContaining("no credentials for hosts");
    expect(disks).toMatchObject([
      { verdict: "impossible", reason },
      { verdict: "impossible", reason },
    ]);
    const other = bench.strategyWith({ login: undefined, hosts: { kvm9: bench.site.sshOptions.login } });
    expect((await other.assess(await bench.vm(), never)).disks).toMatchObject([
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

test("a host with another key than the engine has on record is refused", async () => {
  const renewed = await Bench.open();
  try {
    await renewed.lab.changeHost("lab-host", "new-key");
    const failure: unknown = await renewed.backup().catch((error: unknown) => error);
    expect(codesOf(failure)).toEqual(["E_HYPERVISOR_KEY", "E_HYPERVISOR_KEY", "E_HOST_KEY"]);
    expect(failure).toMatchObject({ message: expect.stringContaining("the engine's record of host lab-host") });
    expect(await renewed.settled("web")).toEqual([]);
  } finally {
    await renewed.close();
  }
});

test.each(["qemu-nbd", "qemu-img"])("without %s a host is refused by name", async (tool) => {
  const poor = await Bench.open({ ssh: { hiddenTools: [tool] } });
  try {
    await expect(poor.backup()).rejects.toThrow(`host lab-host has no ${tool}`);
    expect(await poor.settled("web")).toEqual([]);
  } finally {
    await poor.close();
  }
});

test.each<[string, LabHostRequest["ssh"]]>([
  ["forwards nothing", { config: ["DisableForwarding yes"] }],
  ["allows one session for each connection", { config: ["MaxSessions 1"] }],
  ["is as old as that of EL7", { config: openSsh74 }],
  ["prints noise at each log-in", { noise: "'; echo $(id)" }],
])("a host whose server %s serves all the same", async (_, ssh) => {
  const strict = await Bench.open({ ssh });
  try {
    const first = await strict.backup();
    expect(await differences(strict, first)).toEqual([]);
    await strict.write(0, { kind: "random", seed: "next", offset: 3 * MIB, length: 70_000 });
    const next = await strict.backup({ base: first });
    expect(modesOf(next)).toEqual(["incremental", "incremental"]);
    expect(await differences(strict, next)).toEqual([]);
    await expect.poll(() => leftBeside(strict, next), { timeout: 20_000 }).toEqual([]);
  } finally {
    await strict.close();
  }
});

test("a host that forwards nothing, and has nothing that could, is an error that says what it needs", async () => {
  const hiddenTools = ["python3", "python", "socat", "nc"];
  const closed = await Bench.open({ ssh: { config: ["DisableForwarding yes"], hiddenTools } });
  try {
    await expect(closed.backup()).rejects.toMatchObject({
      code: "E_SERVING",
      retry: "never",
      message: expect.stringMatching(/^host lab-host cannot serve disk web_Disk\d: no way to/),
      hint: expect.stringContaining("AllowStreamLocalForwarding"),
    });
    expect(await closed.settled("web")).toEqual([]);
  } finally {
    await closed.close();
  }
});

test("a volume that qemu-nbd cannot open is an error with its words", async () => {
  const off = await Bench.open({ down: true });
  try {
    const tools = off.lab.hosts[0]?.ssh?.tools ?? "";
    const script = '#!/bin/sh\ncase $1 in --persistent) echo "qemu-nbd: no such image" >&2; exit 1 ;; esac\necho 7.2\n';
    await mkdir(tools, { recursive: true });
    await writeFile(join(tools, "qemu-nbd"), script, { mode: 0o755 });
    await expect(off.backup()).rejects.toMatchObject({
      code: "E_SERVING",
      message: expect.stringContaining("qemu-nbd: no such image"),
    });
    expect(await off.settled("web")).toEqual([]);
  } finally {
    await off.close();
  }
});

describe("before a disk is read", () => {
  afterEach(() => bench.lab.alterAnswers(undefined));

  test("a snapshot of the machine that is locked is waited for by the next run: a merge may be under way", async () => {
    const foreign = await bench.snapshot("of a person");
    bench.lab.alterAnswers((xml, { path }) => {
      if (!path.endsWith("/snapshots")) return xml;
      const [before = "", after = ""] = xml.split(`id="${foreign}"`);
      return `${before}id="${foreign}"${after.replace("<snapshot_status>ok<", "<snapshot_status>locked<")}`;
    });
    await expect(bench.backup()).rejects.toMatchObject({
      code: "E_MANAGER",
      retry: "transient",
      message: expect.stringContaining("being made or merged: of a person"),
    });
    bench.lab.alterAnswers(undefined);
    await bench.manager.api.snapshots.delete(bench.idOf("web"), foreign, never);
    expect(await leftAfterwards()).toEqual([]);
  });

  test("a snapshot that holds the layer which the machine writes to is not read", async () => {
    let active = "";
    bench.lab.alterAnswers((xml, { path }) => {
      if (/\/snapshots\/[^/]+\/disks$/.test(path)) active = /<image_id>([^<]+)/.exec(xml)?.[1] ?? active;
      return /^\/disks\/[^/]+$/.test(path) ? xml.replace(/<image_id>[^<]+/, `<image_id>${active}`) : xml;
    });
    await expect(bench.backup()).rejects.toThrow("the snapshot of this run does not freeze disk web_Disk");
    bench.lab.alterAnswers(undefined);
    expect(await leftAfterwards()).toEqual([]);
  });
});

describe("while a disk is read", () => {
  test("qemu-nbd is killed: the error is transient and names the host and the disk", async () => {
    expect(await backupBrokenBy(() => bench.signalServers("SIGKILL"))).toMatchObject({
      code: "E_SERVING",
      retry: "transient",
      message: expect.stringMatching(/host lab-host stopped serving disk web_Disk\d: /),
    });
    expect(await leftAfterwards()).toEqual([]);
  });

  test("the host stands still: the error is transient, and comes in time", async () => {
    const strategy = bench.strategyWith({ timeoutSeconds: 5 });
    const began = performance.now();
    const failure = await backupBrokenBy(async () => {
      await bench.lab.changeHost("lab-host", "suspend");
      setTimeout(() => void bench.lab.changeHost("lab-host", "resume"), 12_000);
    }, strategy);
    expect(failure).toMatchObject({ code: "E_SERVING", retry: "transient" });
    expect(performance.now() - began).toBeLessThan(60_000);
    expect(await leftAfterwards()).toEqual([]);
  });

  test("no snapshot below can be merged", async () => {
    const foreign = await bench.snapshot("of a person");
    const { api } = bench.manager;
    const vmId = bench.idOf("web");
    const taken = await bench.backup({
      keepBase: false,
      whenOpen: async () => {
        await api.snapshots.delete(vmId, foreign, never);
        const events = async (): Promise<unknown> => (await api.events.list({}, never)).map(({ code }) => code);
        await expect.poll(events, { timeout: 20_000 }).toContain(REMOVAL_FAILED);
      },
    });
    expect(await differences(bench, taken)).toEqual([]);
    await api.snapshots.delete(vmId, foreign, never);
    expect(await leftAfterwards()).toEqual([]);
  });

  test("the host reboots: the error is transient, and nothing is left when it is back", async () => {
    const failure = await backupBrokenBy(() => bench.lab.changeHost("lab-host", "power-off"));
    expect(failure).toMatchObject({ code: "E_SERVING", retry: "transient", context: { hostName: "lab-host" } });
    // Meanwhile, nothing can be proved.
    const entries = await bench.ledger.abandoned();
    expect(entries.map(({ kind }) => kind)).toContain("host-process");
    const leftovers = await bench.strategy.leftovers(entries, never);
    const process = leftovers.find(({ entry }) => entry.kind === "host-process");
    expect(process).toMatchObject({ gone: false, action: expect.stringContaining("cannot use host lab-host") });
    await expect(process?.remove(never)).rejects.toMatchObject({ code: "E_HYPERVISOR" });
    await bench.lab.changeHost("lab-host", "power-on");
    await bench.lab.powerOn("web");
    expect(await leftAfterwards()).toEqual([]);
  });
});

describe("with two hosts", () => {
  let pair: Bench;
  beforeAll(async () => {
    pair = await Bench.open({ hosts: ["kvm2"] });
  });
  afterAll(() => pair.close());

  test("a machine that migrates while its disks are read is backed up as it was", async () => {
    const first = await pair.backup();
    await pair.write(0, { kind: "random", seed: "before", offset: 2 * MIB, length: 70_000 });
    const expected = await pair.viewAll();
    const next = await pair.backup({
      base: first,
      whenOpen: async () => {
        await pair.lab.migrate("web", "kvm2");
        await pair.write(0, { kind: "random", seed: "after", offset: 2 * MIB, length: 70_000 });
      },
    });
    expect(modesOf(next)).toEqual(["incremental", "incremental"]);
    expect(differencesFrom(next, expected)).toEqual([]);
    await expect.poll(() => leftBeside(pair, next), { timeout: 20_000 }).toEqual([]);
  });

  test("one that cannot be used is passed over", async () => {
    await pair.lab.changeHost("lab-host", "new-key");
    const taken = await pair.backup({ keepBase: false });
    expect(await differences(pair, taken)).toEqual([]);
  });

  test("one with another key than the known one is warned of once, by whichever host the disks are served", async () => {
    const { warnings } = await pair.backup({ keepBase: false });
    // One of the two disks may have had the other host as its first choice.
    expect(warnings).toEqual([
      expect.stringMatching(
        /^cannot use host lab-host: the \S+ key of \S+ is SHA256:\S+, not SHA256:\S+, which the engine's record of host lab-host has\. Another machine may be in between\. .*ssh-keygen -lf.*let the engine fetch it/,
      ),
    ]);
    const first = await pair.backup({ keepBase: false });
    const restored = await pair.restore(first, "restored-past-a-strange-key");
    expect(restored.filter((warning) => warning.includes("Another machine may be in between"))).toHaveLength(1);
  });

  test("when none is left, the error has the reason and the next step of each", async () => {
    const port = await freePort();
    const strategy = pair.strategyWith({ hosts: { kvm2: { port } } });
    const failure: unknown = await pair.backup({ strategy, keepBase: false }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "E_HYPERVISOR_KEY",
      message: expect.stringMatching(/cannot use host lab-host: .* is SHA256:.*, not SHA256:/),
      hint: expect.stringMatching(/^lab-host: Another machine may be in between.*$/m),
    });
    expect(failure).toMatchObject({
      message: expect.stringContaining("cannot use host kvm2: cannot connect to"),
      hint: expect.stringMatching(/^kvm2: Does `ssh -p \d+ /m),
    });
    expect(codesOf(failure)).toContain("E_HOST_KEY");
  });

  test("a name that the engine does not have is warned of once", async () => {
    const strategy = pair.strategyWith({
      hosts: { "lab-hots": { port: 22 } },
      clusters: { Nowhere: pair.site.sshOptions.login },
    });
    const wrong = [
      'strategies.ssh-transfer.hosts.lab-hots: the engine has no host of this name, did you mean "lab-host"?',
      "strategies.ssh-transfer.clusters.Nowhere: the engine has no cluster of this name",
    ];
    const warnings = async (): Promise<readonly string[]> =>
      (await pair.backup({ strategy, keepBase: false })).warnings.filter((warning) => warning.includes("of this name"));
    expect(await warnings()).toEqual(wrong);
    expect(await warnings()).toEqual([]);
  });

  test("one that is not up is not asked", async () => {
    await pair.lab.changeHost("lab-host", "maintenance");
    const { disks } = await pair.strategyWith({}).assess(await pair.vm(), never);
    expect(disks).toMatchObject([
      { servedBy: { host: "kvm2", reason: "the only one that is up" } },
      { servedBy: { host: "kvm2" } },
    ]);
  });
});

test("of layers that changed while they were read no point is made", async () => {
  const off = await Bench.open({ down: true });
  try {
    const [disk] = (await off.vm()).disks;
    const whenOpen = async (): Promise<void> => {
      const [volume] = (await off.lab.leftovers()).snapshots;
      const frozen = await off.manager.api.vms.snapshotDisks(off.idOf("web"), volume ?? "", never);
      const { id = "", imageId = "" } = frozen.find(({ id: diskId }) => diskId === disk?.id) ?? {};
      // As a merge does, but qemu-nbd keeps others off.
      const args = ["rebase", "-u", "-F", "qcow2", "-b", randomUUID()];
      await run("qemu-img", [
        ...args,
        `json:${JSON.stringify({ driver: "qcow2", file: { driver: "file", locking: "off", filename: join(dirname(off.lab.vms[0]?.disks.find((one) => one.id === id)?.path ?? ""), imageId) } })}`,
      ]);
    };
    await expect(off.backup({ whenOpen })).rejects.toThrow("changed while they were read");
    expect(await off.settled("web")).toEqual([]);
  } finally {
    await off.close();
  }
});

test("a header that names what is no volume is not followed", async () => {
  const off = await Bench.open({ down: true });
  try {
    const disk = off.lab.vms[0]?.disks[0];
    for (const backing of ["/etc/passwd", "$(touch /tmp/ovault-owned)", "json:{}"]) {
      await run("qemu-img", ["rebase", "-u", "-F", "raw", "-b", backing, disk?.path ?? ""]);
      await expect(off.backup()).rejects.toMatchObject({ code: "E_MANAGER", context: { backing } });
      expect(await off.settled("web")).toEqual([]);
    }
  } finally {
    await off.close();
  }
});
