import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Cluster, Host, StorageDomain } from "@ovault/ovirt";

import { rankHosts, type Ranking } from "../src/hosts/rank-hosts.ts";

const DISK = { id: "disk", storageDomain: { id: "domain", name: "data" } };

function host(name: string, more: Partial<Host> = {}): Host {
  return {
    id: name,
    name,
    address: name,
    status: "up",
    clusterId: "cluster",
    sshPort: 22,
    sshFingerprint: undefined,
    sshPublicKey: undefined,
    activeVms: 0,
    spmStatus: undefined,
    version: undefined,
    ...more,
  };
}

interface Wishes {
  readonly storageType?: string;
  readonly without?: readonly string[];
  readonly busy?: Readonly<Record<string, number>>;
}

function cluster(id: string, dataCenterId: string): Cluster {
  return { id, name: `the ${id}`, version: undefined, dataCenterId, architecture: undefined };
}

function ranking(hosts: readonly Host[], { storageType = "nfs", without = [], busy = {} }: Wishes = {}): Ranking {
  const domain = { id: "domain", name: "data", storageType, dataCenterIds: ["center"] } as Partial<StorageDomain>;
  return {
    landscape: {
      hosts,
      clusters: new Map([
        ["cluster", cluster("cluster", "center")],
        ["far", cluster("far", "elsewhere")],
      ]),
      domains: new Map([["domain", domain as StorageDomain]]),
    },
    credentials: { has: ({ name }) => !without.includes(name) },
    busy: { count: (id) => busy[id] ?? 0 },
  };
}

function names(choices: ReturnType<typeof rankHosts>): readonly string[] | string {
  return typeof choices === "string" ? choices : choices.map((choice) => choice.host.name);
}

describe("a disk on files", () => {
  test("is served by the host that is least busy with disks of ours, then with machines", () => {
    const hosts = [host("a", { activeVms: 1 }), host("b", { activeVms: 9 }), host("c", { activeVms: 5 })];
    expect(names(rankHosts(DISK, {}, ranking(hosts, { busy: { a: 2, b: 1, c: 1 } })))).toEqual(["c", "b", "a"]);
    expect(rankHosts(DISK, {}, ranking(hosts))[0]).toMatchObject({ reason: "the least busy of 3 hosts" });
  });

  test("need not be served by the host that runs its machine", () => {
    const hosts = [host("home", { activeVms: 3 }), host("idle")];
    expect(names(rankHosts(DISK, { host: { id: "home", name: "home" } }, ranking(hosts)))).toEqual(["idle", "home"]);
  });

  test("disks spread over hosts that are equally busy, each always in the same order", () => {
    const hosts = ["a", "b", "c"].map((name) => host(name));
    const firsts = new Set<unknown>();
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        const order = names(rankHosts({ ...DISK, id }, {}, ranking(hosts)));
        expect(names(rankHosts({ ...DISK, id }, {}, ranking(hosts.toReversed())))).toEqual(order);
        firsts.add(order[0]);
      }),
    );
    expect(firsts.size).toBe(3);
  });
});

test("on block storage the host that runs the machine comes first, however busy", () => {
  const hosts = [host("home", { activeVms: 30 }), host("idle")];
  const choices = rankHosts(DISK, { host: { id: "home", name: "home" } }, ranking(hosts, { storageType: "iscsi" }));
  expect(names(choices)).toEqual(["home", "idle"]);
  expect(choices[0]).toMatchObject({ reason: expect.stringContaining("the machine runs there") });
});

test("the reason for a host is true of it, whatever hosts there are", () => {
  const anyHost = fc.record({
    hasLogin: fc.boolean(),
    status: fc.constantFrom("up", "maintenance"),
    clusterId: fc.constantFrom("cluster", "far"),
  });
  fc.assert(
    fc.property(fc.array(anyHost, { maxLength: 5 }), (wishes) => {
      const hosts = wishes.map(({ status, clusterId }, index) => host(`h${index}`, { status, clusterId }));
      const without = wishes.flatMap(({ hasLogin }, index) => (hasLogin ? [] : [`h${index}`]));
      const choices = rankHosts(DISK, {}, ranking(hosts, { without }));
      if (typeof choices === "string") return;
      const near = hosts.filter(({ clusterId }) => clusterId === "cluster");
      const up = near.filter(({ status }) => status === "up");
      const known = near.filter(({ name }) => !without.includes(name));
      const able = up.filter((one) => known.includes(one));
      expect([...names(choices)].toSorted()).toEqual(able.map(({ name }) => name));
      const reason = choices[0]?.reason ?? "";
      const truths: Readonly<Record<string, boolean>> = {
        "the only one that is up": up.length === 1,
        "the only one with a login": known.length === 1,
        "the only one that is up and has a login": able.length === 1,
        [`the least busy of ${able.length} hosts`]: able.length === near.length && able.length > 1,
        [`the least busy of ${able.length} hosts that are up and have a login`]: able.length > 1,
      };
      expect(truths[reason]).toBe(true);
    }),
    { numRuns: 500 },
  );
});

describe("no host serves a disk", () => {
  test.each([
    ["in another data center", [host("a", { clusterId: "far" })], {}, "no host of its data center"],
    ["without credentials", [host("a"), host("b")], { without: ["a", "b"] }, "no credentials for host a, b"],
    ["that is not up", [host("a", { status: "maintenance" }), host("b")], { without: ["b"] }, "not up: host a"],
  ])("%s", (_, hosts, wishes, reason) => {
    expect(names(rankHosts(DISK, {}, ranking(hosts, wishes)))).toContain(reason);
  });

  test("when the engine does not tell where it lies", () => {
    expect(names(rankHosts({ id: "disk" }, {}, ranking([host("a")])))).toContain("which data center");
  });
});
