import { describe, expect, test } from "vitest";

import { NotFoundError, UsageError, type Disk, type VirtualMachine } from "@ovault/contract";

import { findDisk } from "../src/select/find-disk.ts";
import { findVirtualMachine } from "../src/select/find-virtual-machine.ts";
import { findVirtualMachines } from "../src/select/find-virtual-machines.ts";

function disk(id: string, alias: string, index: number): Disk {
  const fixed = { logicalBytes: 1, format: "raw", sparse: true, bootable: false, interface: "virtio" } as const;
  return { id, alias, index, ...fixed, attributes: {} };
}

function vm(id: string, name: string): VirtualMachine {
  return { id, name, manager: "lab", status: "up", disks: [], attributes: {} };
}

describe("a disk", () => {
  const disks = [disk("id-a", "root", 0), disk("id-b", "0", 1), disk("id-c", "data", 2), disk("id-d", "data", 3)];

  test.each([
    ["id-c", "id-c"],
    ["root", "id-a"],
    ["2", "id-c"],
    ["0", "id-b"],
  ])("is found by %s: id before alias before index", (wanted, id) => {
    expect(findDisk(disks, wanted, "web01").id).toBe(id);
  });

  test("that is unknown is answered with the nearest alias", () => {
    expect(() => findDisk(disks, "rot", "web01")).toThrow(NotFoundError);
    expect(() => findDisk(disks, "rot", "web01")).toThrow(/web01 has no disk "rot", did you mean "root"\?/);
    expect(() => findDisk(disks, "9", "web01")).toThrow(NotFoundError);
  });

  test("whose alias is not unique must be named otherwise", () => {
    expect(() => findDisk(disks, "data", "web01")).toThrow(UsageError);
    const found = expect.objectContaining({ hint: "Use an index or an id: 2 (id-c, 1 B, raw), 3 (id-d, 1 B, raw)." });
    expect(() => findDisk(disks, "data", "web01")).toThrow(found);
  });
});

describe("a virtual machine", () => {
  const inventory = [vm("1", "web01"), vm("2", "db"), vm("3", "db")];

  test("is found by id or name", () => {
    expect(findVirtualMachine(inventory, "3").name).toBe("db");
    expect(findVirtualMachine(inventory, "web01").id).toBe("1");
  });

  test("that is unknown is answered with the nearest name", () => {
    expect(() => findVirtualMachine(inventory, "web1")).toThrow(/"web1", did you mean "web01"\?/);
  });

  test("whose name is not unique must be given by id", () => {
    expect(() => findVirtualMachine(inventory, "db")).toThrow(/2 virtual machines are named "db"/);
    const twins = ["2", "3"].map((id) => ({ ...vm(id, "db"), cluster: { id, name: `east-${id}` } }));
    const hint = "Use an id: 2 (up, in cluster east-2, 0 disks), 3 (up, in cluster east-3, 0 disks).";
    expect(() => findVirtualMachine(twins, "db")).toThrow(expect.objectContaining({ hint }));
  });
});

describe("virtual machines", () => {
  const inventory = [vm("1", "web01"), { ...vm("2", "web02"), tags: ["backup"] }, vm("3", "db"), vm("4", "db")];

  test.each([
    [["web*"], ["1", "2"]],
    [
      ["tag:backup", "web01"],
      ["2", "1"],
    ],
    [
      ["web01", "/^web/", "1"],
      ["1", "2"],
    ],
    [["d?"], ["3", "4"]],
  ])("%j are named and selected, each once", (wanted, ids) => {
    expect(findVirtualMachines(inventory, wanted).map(({ id }) => id)).toEqual(ids);
  });

  test("must be meant by everything that is written", () => {
    expect(() => findVirtualMachines(inventory, ["web01", "mail*"])).toThrow(NotFoundError);
    expect(() => findVirtualMachines(inventory, ["web1"])).toThrow(/did you mean "web01"\?/);
    expect(() => findVirtualMachines(inventory, ["db"])).toThrow(UsageError);
  });
});
