import { createRunHooks } from "@ovault/contract";
import { LabBench, LabSite } from "@ovault/testkit-ovirt";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { Bench, differences, never, strategyOn, type Taken } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MIB = 1024 * 1024;

describe.each(["3.6", "4.1", "4.3"] as const)("on oVirt %s", (engineVersion) => {
  let bench: Bench;
  let first: Taken;
  beforeAll(async () => {
    bench = await Bench.open({ engineVersion });
  });
  afterAll(() => bench.close());

  test("the assessment says that an export holds whole disks", async () => {
    const { disks } = await bench.strategy.assess(await bench.vm(), never);
    expect(disks.map(({ verdict }) => verdict)).toEqual(["full", "full"]);
  });

  test("a backup is byte for byte what the guest sees, and leaves nothing", async () => {
    first = await bench.backup();
    expect(differences(first, await bench.viewAll())).toEqual([]);
    expect(first.point.disks.map(({ mode }) => mode)).toEqual(["full", "full"]);
    expect(first.warnings).toEqual([]);
    expect(await bench.settled()).toEqual([]);
  });

  test("the next one is compared with the last point", async () => {
    await bench.write(0, { kind: "pattern", pattern: 9, offset: 5 * MIB, length: MIB });
    const next = await bench.backup({ base: first });
    expect(differences(next, await bench.viewAll())).toEqual([]);
    expect(next.point.disks.map(({ mode }) => mode)).toEqual(["compared", "compared"]);
    expect(next.point.disks[0]?.reason).toContain("an export holds whole disks");
    expect(await bench.settled()).toEqual([]);
  });
});

test("a disk that is left out is neither cloned nor exported", async () => {
  const bench = await Bench.open({ engineVersion: "3.6" });
  try {
    const [root, data] = (await bench.vm()).disks;
    const taken = await bench.backup({ exclude: [data?.id ?? ""] });
    expect(taken.point.disks.map(({ disk }) => disk.id)).toEqual([root?.id]);
    const view = await bench.view(root?.id ?? "");
    expect(view.equals(taken.images.get(root?.id ?? "") ?? Buffer.of())).toBe(true);
    await bench.restore(taken, "part", { wishes: { import: true } });
    expect((await bench.vm("part")).disks.map(({ alias }) => alias)).toEqual(["web_Disk1"]);
    expect(await bench.settled("part")).toEqual([]);
  } finally {
    await bench.close();
  }
});

test("a machine on a template is taken whole, and its clone lies where ovault.yaml says", async () => {
  const inventory = { storageDomains: [{ name: "fast" }] };
  const below = ["write -P 0x44 2M 3M"];
  const disk = { format: "qcow2", bytes: 16 * MIB, writes: ["write -P 0x11 1M 2M"], below } as const;
  const machines = [{ name: "web", disks: [disk], template: "golden" }];
  const site = await LabSite.open({ engineVersion: "3.6", machines, inventory, staging: true });
  try {
    const staging = site.lab.staging[0]?.folder ?? "";
    const bench = new LabBench(site, strategyOn(site, { staging, cloneDomain: "fast" }));
    await bench.write(0, { kind: "pattern", pattern: 9, offset: 5 * MIB, length: MIB });
    const { api } = bench.manager;
    const places: Promise<unknown>[] = [];
    const hooks = createRunHooks();
    hooks.phase.tap("test", ({ phase }) => {
      const clone = site.lab.vms.find(({ name }) => name.startsWith("ovault-"));
      if (phase !== "export" || clone === undefined) return;
      places.push(...clone.disks.map(async ({ id }) => (await api.disks.get(id, never)).storageDomainIds));
    });
    expect(differences(await bench.backup({ hooks }), await bench.viewAll())).toEqual([]);
    const fast = (await api.infrastructure.storageDomains(never)).find(({ name }) => name === "fast");
    expect(await Promise.all(places)).toEqual([[fast?.id]]);
    expect(await bench.settled()).toEqual([]);
  } finally {
    await site.close();
  }
});
