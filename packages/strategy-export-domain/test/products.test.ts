import { readFile } from "node:fs/promises";

import { OvirtManager } from "@ovault/ovirt";
import { LabBench, LabSite, never, WEB_DISKS } from "@ovault/testkit-ovirt";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { differences, sameBytes, strategyOn } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

// Engines that speak version 4 are asked in it, also where the address names version 3.
describe.each([
  ["olvm", "4.3", "/ovirt-engine/api/v3", 4],
  ["olvm", "4.3", "/ovirt-engine/api", 4],
  ["olvm", "4.2", "", 4],
  ["ovirt", "4.1", "/ovirt-engine/api/v3", 4],
  ["ovirt", "3.6", "/api/v3", 3],
  ["ovirt", "3.6", "/api", 3],
  ["ovirt", "3.6", "", 3],
] as const)("%s %s at %s", (product, engineVersion, path, apiVersion) => {
  let site: LabSite;
  let manager: OvirtManager;
  beforeAll(async () => {
    const machines = [{ name: "web", disks: WEB_DISKS }];
    site = await LabSite.open({ product, engineVersion, machines, staging: true });
    const { url, user, password, caFile } = site.lab;
    const trust = { ca: [await readFile(caFile, "utf8")] };
    const timings = { pollMs: 10, inFlightMs: 500 };
    manager = new OvirtManager("lab", { url: `${new URL(url).origin}${path}`, user, password, trust, timings });
  });
  afterAll(async () => {
    await manager.close();
    await site.close();
  });

  test("is found at this address, backed up and restored", async () => {
    expect(await manager.client.apiVersion(never)).toBe(apiVersion);
    const bench = new LabBench(site, strategyOn(site, { staging: site.lab.staging[0]?.folder ?? "" }, manager));
    const taken = await bench.backup();
    expect(differences(taken, await bench.viewAll())).toEqual([]);
    await bench.restore(taken, "back", { wishes: { import: true } });
    expect(sameBytes(await bench.viewAll(), await bench.viewAll("back"))).toBe(true);
    expect(await bench.settled("back")).toEqual([]);
  });
});

test("an engine that knows no export domains says so, and the strategy takes nothing", async () => {
  const machines = [{ name: "web", disks: WEB_DISKS }];
  const site = await LabSite.open({ engineVersion: "4.5", machines, staging: true });
  try {
    const bench = new LabBench(site, strategyOn(site, { staging: site.directory }));
    const { disks } = await bench.strategy.assess(await bench.vm(), never);
    expect(disks.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ["impossible", "data center Default has no export domain"],
      ["impossible", "data center Default has no export domain"],
    ]);
  } finally {
    await site.close();
  }
});
