import type { RunContext } from "@ovault/contract";
import type { EngineVersion } from "@ovault/lab";
import { EngineApi, type EngineCaller } from "@ovault/ovirt";
import { parseXml } from "@ovault/ovirt/internal/engine/parse-xml";
import { missingForNfsDisks } from "@ovault/test-support/nfs-needs";
import { LabSite, restoreRequest } from "@ovault/testkit-ovirt";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { domainLeftover } from "../src/domain/domain-leftover.ts";
import { findSite, type DomainSite } from "../src/domain/domain-site.ts";
import { makeDomain, STORAGE_DOMAIN } from "../src/domain/make-domain.ts";
import { designInstant, removeDomain } from "../src/index.ts";
import { Bench, never } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = await missingForNfsDisks();

describe.skipIf(missing.length > 0)("the storage domain of a share", () => {
  let bench: Bench;
  beforeAll(async () => void (bench = await Bench.open()));
  afterAll(() => bench.close());

  const make = async (site: Pick<LabSite, "manager">, context: RunContext) =>
    await makeDomain(site.manager.api, await siteOf(site), bench.wish("ir"), context);

  test("has the format of its data center, and is refused in one that takes older ones alone", async () => {
    const { site } = bench.bench;
    const { domain } = await bench.inRun((context) => make(site, context));
    expect(domain).toMatchObject({ name: "ovault-ir", version: 5, address: "127.0.0.1", path: "/points" });
    await removeDomain(site.manager.api, domain);
    await bench.removeLeftovers();
    // Its tree is still on the share.
    const older = await LabSite.open({ machines: [], engineVersion: "4.2", delayMs: 20 });
    try {
      await expect(bench.inRun((context) => make(older, context))).rejects.toThrow(
        "has format V5; data center Default takes V4 and older",
      );
      expect(older.lab.dataDomains).toEqual([]);
      expect(await bench.ledger()).toEqual([]);
      await bench.emptyShare();
      const { domain: fitting } = await bench.inRun((context) => make(older, context));
      expect(fitting.version).toBe(4);
    } finally {
      await older.close();
    }
    await bench.removeLeftovers();
    await bench.emptyShare();
  });

  test("takes QCOW2 disks, but in a data center that is too old for them", async () => {
    const request = { ...restoreRequest(bench.taken, "ir"), storageDomain: "of no effect" };
    for (const [engineVersion, formats] of [
      ["4.0", ["raw", "raw"]],
      ["4.2", ["cow", "raw"]],
    ] as const) {
      await using site = await labOf(engineVersion);
      const { disks, warnings } = await designInstant(site.manager, request, bench.wish("ir"), never);
      expect(disks.map(({ layout }) => layout.format)).toEqual(formats);
      expect(warnings.filter((warning) => warning.includes("too old"))).toEqual(
        engineVersion === "4.0" ? ["QCOW2 disks become raw, as Default is too old: web_Disk1"] : [],
      );
    }
  });

  test("is made with a host that is up, in a data center that is up", async () => {
    const { lab, manager } = bench.bench;
    const states = [
      ["data_center", "data center Default is maintenance"],
      ["host", "data center Default has no host that is up"],
    ] as const;
    for (const [element, why] of states) {
      lab.alterAnswers((xml, { path }) =>
        path.endsWith(`/${element.replace("_", "")}s`) ? xml.replaceAll("<status>up<", "<status>maintenance<") : xml,
      );
      await expect(siteOf({ manager })).rejects.toThrow(why);
      lab.alterAnswers(undefined);
    }
    await expect(findSite(manager.api, undefined, never)).rejects.toThrow("belongs to no data center");
  });

  test("leaves a connection where the engine died between the two, which leftovers find", async () => {
    const { site, ledger } = bench.bench;
    await bench.inRun(async ({ ledger: own }) => {
      const { dataCenter } = await siteOf(site);
      const detail = { name: "ovault-ir", address: "127.0.0.1", path: "/points", dataCenterId: dataCenter.id };
      await own.open({ kind: STORAGE_DOMAIN, title: "storage domain ovault-ir", detail });
    });
    const [entry] = await ledger.abandoned();
    if (entry === undefined) throw new Error("the ledger has no entry");
    const { api, removed } = withConnections(site.manager.client, ["/points", "/elsewhere"]);
    const left = await domainLeftover(api, entry, never);
    expect(left).toMatchObject({ gone: false, action: "remove the storage connection to 127.0.0.1:/points" });
    await left.remove(never);
    expect(removed).toEqual(["/storageconnections/points"]);
    expect(await domainLeftover(site.manager.api, entry, never)).toMatchObject({ gone: true });
    await ledger.resolve(entry);
  });
});

async function siteOf({ manager }: Pick<LabSite, "manager">): Promise<DomainSite> {
  const [dataCenter] = await manager.api.infrastructure.dataCenters(never);
  return await findSite(manager.api, dataCenter?.id, never);
}

async function labOf(engineVersion: EngineVersion): Promise<AsyncDisposable & Pick<LabSite, "manager">> {
  const site = await LabSite.open({ machines: [], engineVersion });
  return { manager: site.manager, [Symbol.asyncDispose]: () => site.close() };
}

/** An engine that has connections to these exports, which the lab's does not show. */
function withConnections(
  caller: EngineCaller,
  paths: readonly string[],
): { readonly api: EngineApi; readonly removed: readonly string[] } {
  const removed: string[] = [];
  const all = paths.map(
    (path) =>
      `<storage_connection id="${path.slice(1)}"><type>nfs</type><address>127.0.0.1</address><path>${path}</path></storage_connection>`,
  );
  const answers = parseXml(`<storage_connections>${all.join("")}</storage_connections>`);
  const api = new EngineApi({
    ...timingsOf(caller),
    apiVersion: (signal) => caller.apiVersion(signal),
    get: async (path, options) => (path === "/storageconnections" ? answers : await caller.get(path, options)),
    post: (path, body, options) => caller.post(path, body, options),
    put: (path, body, options) => caller.put(path, body, options),
    delete: async (path) => {
      removed.push(path);
      return parseXml("<action/>");
    },
  });
  return { api, removed };
}

function timingsOf({ pollMs, inFlightMs, conflictDeadlineMs, hostPatienceMs }: EngineCaller) {
  return { pollMs, inFlightMs, conflictDeadlineMs, hostPatienceMs };
}
