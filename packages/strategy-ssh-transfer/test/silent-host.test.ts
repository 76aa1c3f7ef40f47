import { createRunHooks, type Leftover } from "@ovault/contract";
import { differences } from "@ovault/testkit-ovirt";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Bench, never, type Taken } from "./support/bench.ts";
import { leftBeside, modesOf } from "./support/findings.ts";

/** Hosts that do not answer are waited for. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const MIB = 1024 * 1024;

let bench: Bench;

beforeEach(async () => {
  bench = await Bench.open({ hosts: ["kvm2"] });
  await bench.lab.changeHost("kvm2", "maintenance");
});
afterEach(() => bench.close());

/** A run that is fast to find out. */
function hasty(): Bench["strategy"] {
  return bench.strategyWith({ timeoutSeconds: 5 });
}

const suspend = (): Promise<void> => bench.lab.changeHost("lab-host", "suspend");

/** A backup whose host stands still when its disks are open. */
async function backupStandingStill(base?: Taken): Promise<{
  readonly failure: unknown;
  readonly warnings: readonly string[];
  readonly waits: readonly string[];
}> {
  const hooks = createRunHooks();
  const [warnings, waits] = [new Array<string>(), new Array<string>()];
  hooks.warning.tap("test", (message) => warnings.push(message));
  hooks.phase.tap("test", ({ phase, detail }) => phase === "wait" && waits.push(detail));
  const failure: unknown = await bench
    .backup({ strategy: hasty(), base, hooks, whenOpen: suspend })
    .catch((error: unknown) => error);
  return { failure, warnings, waits };
}

async function look(): Promise<readonly Leftover[]> {
  return await bench.strategy.leftovers(await bench.ledger.abandoned(), never);
}

async function serversOnHosts(): Promise<readonly string[]> {
  const { hostProcesses } = await bench.lab.leftovers();
  return hostProcesses.filter((line) => line.startsWith("qemu-nbd"));
}

describe("a host stands still before a run", () => {
  test("another serves both disks: the first is waited for once, which the run tells, and is warned of", async () => {
    await bench.lab.changeHost("kvm2", "up");
    await suspend();
    const hooks = createRunHooks();
    const [warnings, waits] = [new Array<string>(), new Array<string>()];
    hooks.warning.tap("test", (message) => warnings.push(message));
    hooks.phase.tap("test", ({ phase, detail }) => phase === "wait" && waits.push(detail));
    const began = performance.now();
    const taken = await bench.backup({ hooks, keepBase: false });
    expect(performance.now() - began).toBeLessThan(50_000);
    expect(differences(taken, await bench.viewAll())).toEqual([]);
    expect(waits.filter((wait) => wait.includes("lab-host"))).toEqual([
      expect.stringMatching(/^host lab-host to answer, for 20 s at most: it can serve disk/),
    ]);
    expect(warnings).toEqual([expect.stringMatching(/^host lab-host did not answer within 20 s\. Does it run\?/)]);
  });
});

describe("a host stands still while it is read", () => {
  test("the snapshot stays until the host says that nothing reads it, and goes then", async () => {
    const began = performance.now();
    const { failure, warnings, waits } = await backupStandingStill();
    expect(failure).toMatchObject({ code: "E_SERVING", retry: "transient" });
    expect(performance.now() - began).toBeLessThan(70_000);
    const [snapshot = "none"] = (await bench.lab.leftovers()).snapshots;
    expect(warnings).toEqual([
      expect.stringMatching(
        new RegExp(`snapshot of web \\(${snapshot}\\) may still be used by: process on host lab-host: .*doctor --fix`),
      ),
    ]);
    expect(waits.filter((wait) => wait.includes("lab-host"))).toEqual([expect.stringContaining("at most")]);
    expect(await serversOnHosts()).not.toEqual([]);

    // As the next run and doctor do, in the order of the list, each in spite of the failures before it.
    const lookedAt = performance.now();
    const [leftovers, checks] = await Promise.all([look(), bench.strategy.diagnose(never)]);
    expect(performance.now() - lookedAt).toBeLessThan(30_000);
    expect(checks).toContainEqual(
      expect.objectContaining({ name: "host lab-host: log-in", detail: expect.stringContaining("within 20 s") }),
    );
    expect(leftovers.map(({ entry, gone }) => `${entry.kind} ${gone}`)).toEqual([
      "host-process false",
      "host-process false",
      "snapshot false",
    ]);
    const removals = await Promise.allSettled(leftovers.map((one) => one.remove(never)));
    expect(removals.map((one) => one.status === "rejected" && one.reason.code)).toEqual([
      "E_HYPERVISOR",
      "E_HYPERVISOR",
      "E_IN_USE",
    ]);
    expect((await bench.lab.leftovers()).snapshots).toEqual([snapshot]);

    await bench.lab.changeHost("lab-host", "resume");
    await bench.removeLeftovers();
    expect(await bench.settled("web")).toEqual([]);
  });

  test("the engine powers the host off: that proves it as well", async () => {
    await backupStandingStill();
    await bench.lab.changeHost("lab-host", "fence");
    expect((await look()).map(({ entry, gone }) => `${entry.kind} ${gone}`)).toEqual([
      "host-process true",
      "host-process true",
      "snapshot false",
    ]);
    await bench.removeLeftovers();
    expect(await bench.settled("web")).toEqual([]);
  });

  test("its logins are gone: nothing is removed", async () => {
    await backupStandingStill();
    await bench.lab.changeHost("lab-host", "resume");
    const strategy = bench.strategyWith({ login: undefined });
    const leftovers = await strategy.leftovers(await bench.ledger.abandoned(), never);
    expect(leftovers.at(0)?.action).toContain("no credentials for host lab-host");
    await expect(leftovers.at(-1)?.remove(never)).rejects.toMatchObject({ code: "E_IN_USE" });
    await bench.removeLeftovers();
    expect(await bench.settled("web")).toEqual([]);
  });

  test("the next run goes through another host, and removes no snapshot that may be read", async () => {
    const base = await bench.backup();
    await backupStandingStill(base);
    const kept = (await bench.lab.leftovers()).snapshots;
    expect(kept).toHaveLength(2);
    await bench.lab.changeHost("kvm2", "up");
    await bench.write(0, { kind: "random", seed: "next", offset: 3 * MIB, length: 70_000 });
    const next = await bench.backup({ strategy: hasty(), base });
    expect(modesOf(next)).toEqual(["incremental", "incremental"]);
    expect(differences(next, await bench.viewAll())).toEqual([]);
    expect(next.warnings).toContainEqual(expect.stringMatching(/an old snapshot of web is still there: .*lab-host/));
    expect((await bench.lab.leftovers()).snapshots).toEqual(expect.arrayContaining([...kept]));

    await bench.lab.changeHost("lab-host", "resume");
    await bench.removeLeftovers();
    await expect.poll(() => leftBeside(bench, next), { timeout: 20_000 }).toEqual([]);
  });

  test("ovault is killed meanwhile: the next run proves the reader dead first", async () => {
    await bench.backupAndDie({ keepBase: false });
    await suspend();
    const leftovers = await look();
    await expect(leftovers.at(-1)?.remove(never)).rejects.toMatchObject({ code: "E_IN_USE" });
    expect((await bench.lab.leftovers()).snapshots).toHaveLength(1);
    await bench.lab.changeHost("lab-host", "resume");
    await bench.removeLeftovers();
    expect(await bench.settled("web")).toEqual([]);
  });
});

describe("a host stands still while it is written to", () => {
  test.each([
    ["the restore fails", true],
    ["when all is written, no machine is made of the disks", false],
  ])("%s, and the disks stay until the host says that nothing writes to them", async (_, fails) => {
    const taken = await bench.backup({ keepBase: false });
    const warnings: string[] = [];
    const hooks = createRunHooks();
    hooks.warning.tap("test", (message) => void warnings.push(message));
    const restored = bench.restore(taken, "copy", {
      strategy: hasty(),
      hooks,
      instead: async (session) => {
        const { disks } = session;
        for (const disk of disks) await disk.write(0, Buffer.alloc(MIB, 1), never);
        for (const disk of disks) await disk.flush(never);
        await suspend();
        if (fails) for (const disk of disks) await disk.write(0, Buffer.alloc(MIB, 2), never);
        await session.commit();
      },
    });
    await expect(restored).rejects.toMatchObject({ retry: "transient" });
    expect(await bench.vmNames()).toEqual(["web"]);
    expect((await bench.lab.leftovers()).unattachedDisks).toHaveLength(2);
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toMatch(/restored disk web_Disk1 .*lab-host/);
    await bench.lab.changeHost("lab-host", "resume");
    await bench.removeLeftovers();
    expect(await bench.settled("web")).toEqual([]);
  });
});
