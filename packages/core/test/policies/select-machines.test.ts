import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { UsageError, type VirtualMachine } from "@ovault/contract";
import { excludedDisks, selectMachines } from "@ovault/core";
import { parseMachineSelector } from "../../src/policies/parse-machine-selector.ts";

import { matchesGlob } from "../../src/util/matches-glob.ts";

function vm(name: string, more: Partial<VirtualMachine> = {}): VirtualMachine {
  return { id: `id-${name}`, name, manager: "m", status: "up", disks: [], attributes: {}, ...more };
}

const text = fc.string({ unit: fc.constantFrom("a", "b", "-"), maxLength: 8 });
const glob = fc.string({ unit: fc.constantFrom("a", "b", "-", "*", "?"), minLength: 1, maxLength: 8 });
const selector = fc.oneof(
  glob,
  glob.map((pattern) => `tag:${pattern}`),
  glob.map((pattern) => `cluster:${pattern}`),
  fc.nat(5).map((id) => `id:${id}`),
  fc.constantFrom("/^a/", "/B$/i", "/a.*b|-/"),
);
const inventory = fc
  .array(fc.record({ name: text, tags: fc.array(text, { maxLength: 2 }), cluster: fc.option(text) }), { maxLength: 8 })
  .map((machines) =>
    machines.map(({ name, tags, cluster }, index) =>
      vm(name, { id: String(index), tags, ...(cluster !== null && { cluster: { id: "c", name: cluster } }) }),
    ),
  );

test("a glob matches what the same regular expression does", () => {
  fc.assert(
    fc.property(glob, text, (pattern, name) => {
      const expected = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
      expect(matchesGlob(pattern, name)).toBe(expected.test(name));
    }),
  );
});

test("a glob of many stars is answered at once", () => {
  expect(matchesGlob("*a".repeat(5000), "a".repeat(4999))).toBe(false);
  expect(matchesGlob("*a".repeat(500), "a".repeat(500))).toBe(true);
});

describe("selecting machines", () => {
  test("takes what is included by any selector and excluded by none, in order, each once", () => {
    fc.assert(
      fc.property(inventory, fc.array(selector), fc.array(selector), (machines, include, exclude) => {
        const { machines: selected, unmatched } = selectMachines(machines, { include, exclude });
        const meant = (written: string) => parseMachineSelector(written)(machines);
        const [included, excluded] = [include.flatMap(meant), exclude.flatMap(meant)];
        expect(selected).toEqual(machines.filter((one) => included.includes(one) && !excluded.includes(one)));
        expect(unmatched).toEqual(include.filter((written) => meant(written).length === 0));
      }),
    );
  });

  const machines = [
    vm("web01", { tags: ["backup", "front"], cluster: { id: "c1", name: "Default" } }),
    vm("web01-test", { tags: ["backup"], cluster: { id: "c1", name: "Default" } }),
    vm("db1", { cluster: { id: "c2", name: "Databases" } }),
    vm("Web02"),
  ];

  test.each([
    [["web*"], ["web01", "web01-test"]],
    [["web0?"], ["web01"]],
    [["db1"], ["db1"]],
    [["id-db1"], ["db1"]],
    [["id:id-db1"], ["db1"]],
    [["/^web/"], ["web01", "web01-test"]],
    [["/^web/i"], ["web01", "web01-test", "Web02"]],
    [["/b0/"], ["web01", "web01-test", "Web02"]],
    [["tag:front"], ["web01"]],
    [["tag:*"], ["web01", "web01-test"]],
    [["cluster:D*"], ["web01", "web01-test", "db1"]],
    [["*"], ["web01", "web01-test", "db1", "Web02"]],
  ])("%j", (include, names) => {
    expect(selectMachines(machines, { include, exclude: [] }).machines.map(({ name }) => name)).toEqual(names);
  });

  test("what is excluded stays out, and is not missed", () => {
    const found = selectMachines(machines, { include: ["web01", "web01-test", "nobody"], exclude: ["*-test"] });
    expect(found.machines.map(({ name }) => name)).toEqual(["web01"]);
    expect(found.unmatched).toEqual(["nobody"]);
  });

  test.each(["", "/", "//", "/a", "/(/", "/a/g", `/${"a".repeat(201)}/`, "name:a", "tag:", "host:x", ":"])(
    "%j is no selector",
    (written) => {
      expect(() => parseMachineSelector(written)).toThrow(UsageError);
    },
  );

  test("a regular expression that backtracks without end is stopped", () => {
    const hostile = [vm(`${"a".repeat(60)}!`)];
    expect(() => selectMachines(hostile, { include: ["/^(a+)+$/"], exclude: [] })).toThrow(/takes too long/);
  });

  test("names that no manager allows match no regular expression", () => {
    expect(parseMachineSelector("/a/")([vm("a".repeat(256))])).toEqual([]);
  });
});

test("disks are excluded by id or by a glob for the alias", () => {
  const fixed = { logicalBytes: 1, format: "raw", sparse: true, bootable: false, interface: "virtio" } as const;
  const disks = ["root", "swap1", "swap2"].map((alias, index) => ({
    id: `d${index}`,
    alias,
    index,
    ...fixed,
    attributes: {},
  }));
  const machine = vm("web01", { disks });
  expect(excludedDisks(machine, ["swap*"])).toEqual(["d1", "d2"]);
  expect(excludedDisks(machine, ["d0", "swap?"])).toEqual(["d0", "d1", "d2"]);
  expect(excludedDisks(machine, ["data"])).toEqual([]);
});
