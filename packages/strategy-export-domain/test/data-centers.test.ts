import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { FileDomain } from "@ovault/storage-domain";
import { LabBench, LabSite, never, WEB_DISKS } from "@ovault/testkit-ovirt";
import { expect, test, vi } from "vitest";

import { differences, strategyOn } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000 });

test("each data center has a folder and an export domain of its own, and no other is used", async () => {
  const inventory = {
    clusters: [{ name: "away", dataCenter: "North" }],
    hosts: [{ name: "north-host", cluster: "away" }],
    storageDomains: [{ name: "north-storage", dataCenter: "North" }],
  };
  const machines = [
    { name: "web", disks: WEB_DISKS.slice(0, 1), cluster: "away", storageDomain: "north-storage" },
    { name: "other", disks: WEB_DISKS.slice(0, 1) },
  ];
  const site = await LabSite.open({ engineVersion: "3.6", machines, inventory, staging: true });
  try {
    const places = site.lab.staging;
    expect(places.map(({ dataCenter }) => dataCenter)).toEqual(["Default", "North"]);
    const dataCenters = Object.fromEntries(places.map(({ dataCenter, folder }) => [dataCenter, { folder }]));
    const bench = new LabBench(site, strategyOn(site, { dataCenters }));
    const taken = await bench.backup();
    expect(differences(taken, await bench.viewAll())).toEqual([]);
    const used = await Promise.all(places.map(({ folder }) => readdir(folder)));
    expect(used.map((names) => names.includes(".ovault"))).toEqual([false, true]);

    const onlyDefault = strategyOn(site, { dataCenters: { Default: { folder: places[0]?.folder } } });
    const assess = async (name: string) => (await onlyDefault.assess(await bench.vm(name), never)).disks[0];
    expect(await assess("other")).toMatchObject({ verdict: "full" });
    expect(await assess("web")).toMatchObject({
      verdict: "impossible",
      reason: "ovault.yaml names no export domain for data center North",
    });
    const swapped = strategyOn(site, {
      dataCenters: { North: { folder: places[1]?.folder ?? "", exportDomain: "staging-Default" } },
    });
    expect((await swapped.assess(await bench.vm(), never)).disks[0]).toMatchObject({
      reason:
        "export domain staging-Default is attached to another data center than North, which has staging-North and can have no other",
    });
    await bench.restore(taken, "back", { wishes: { import: true } });
    expect(await readdir(join(places[1]?.folder ?? "", ".ovault"))).toEqual([]);
    expect((await bench.vm("back")).cluster?.name).toBe("away");
  } finally {
    await site.close();
  }
});

test("a machine that is removed meanwhile ends the backup, and leaves nothing", async () => {
  const machines = [{ name: "web", disks: WEB_DISKS, down: true }];
  const site = await LabSite.open({ engineVersion: "3.6", machines, staging: true });
  try {
    const folder = site.lab.staging[0]?.folder ?? "";
    const bench = new LabBench(site, strategyOn(site, { staging: folder }));
    const { id } = await bench.vm();
    const remove = () => bench.manager.api.vms.delete(id, { keepDisks: false }, never);
    const whenOpen = async (): Promise<void> => {
      await remove();
      await expect.poll(() => bench.manager.api.vms.find(id, never)).toBeUndefined();
    };
    await expect(bench.backup({ whenOpen })).rejects.toMatchObject({ code: "E_ENTITY_NOT_FOUND" });
    expect(await bench.settled()).toEqual([]);
    const [domain = ""] = await FileDomain.idsBelow(folder);
    expect(await readdir(join(folder, domain, "images"))).toEqual([]);
  } finally {
    await site.close();
  }
});
