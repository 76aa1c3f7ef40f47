import { expect, test } from "vitest";

import { assessDisk } from "../src/assess-disk.ts";

import type { Disk, JsonObject, VirtualMachine } from "@ovault/contract";
import type { Vm } from "@ovault/ovirt";
import type { Site } from "../src/site.ts";

const proxy: Vm = {
  id: "proxy-id",
  name: "proxy",
  description: undefined,
  comment: undefined,
  status: "up",
  clusterId: "cluster-1",
  hostId: undefined,
  templateId: undefined,
  origin: "ovirt",
  memoryBytes: undefined,
  architecture: undefined,
  stateless: false,
  deleteProtected: false,
  virtioScsi: true,
  creationTime: undefined,
  ovf: undefined,
  settings: undefined,
  diskAttachments: undefined,
  nics: undefined,
  tags: undefined,
};

const site: Site = {
  proxy: { vm: proxy, how: "configured" },
  disksOfProxy: new Set(["its-own"]),
  dataCenters: new Map([
    ["cluster-1", "dc-1"],
    ["cluster-2", "dc-1"],
    ["cluster-3", "dc-3"],
  ]),
  backupDomains: new Set(["domain-b"]),
};

function assess(
  machine: Partial<VirtualMachine>,
  disk: Partial<Disk>,
  { vm, ...other }: Partial<Site> & { vm?: Partial<Vm> } = {},
): string {
  const whole: Disk = {
    id: "disk",
    alias: "disk",
    index: 0,
    logicalBytes: 1,
    format: "raw",
    sparse: true,
    bootable: true,
    interface: "virtio",
    storageDomain: { id: "domain-a", name: "fast" },
    attributes: {},
    ...disk,
  };
  const web: VirtualMachine = {
    id: "web-id",
    name: "web",
    manager: "m",
    status: "up",
    cluster: { id: "cluster-2", name: "two" },
    disks: [whole],
    attributes: {},
    ...machine,
  };
  const place: Site = { ...site, proxy: { vm: { ...proxy, ...vm }, how: "configured" }, ...other };
  const { verdict, reason } = assessDisk(web, whole, place);
  return `${verdict}: ${reason}`;
}

test.each([
  ["up", "full: all of it is read from a device, and compared by digest"],
  ["down", "full: all of it is read from a device, and compared by digest"],
  ["paused", "full: all of it is read from a device, and compared by digest"],
  ["migrating, which passes", "full: all of it is read from a device, and compared by digest"],
] as const)("a machine that is %s", (status, expected) => {
  expect(assess({ status }, {})).toBe(expected);
});

test.each([
  [{ contentType: "iso" }, "skip: it holds iso, which is no guest data"],
  [{ storageType: "lun" }, "skip: a lun disk is no image of the engine's"],
  [{ shareable: true }, "skip: a shareable disk may be written by other machines at the same time"],
  [{ status: "illegal" }, "impossible: the engine calls the disk illegal; repair it first"],
] as const satisfies readonly [JsonObject, string][])("a disk with %j", (attributes, expected) => {
  expect(assess({}, { attributes })).toBe(expected);
});

test("what the engine forbids is said beforehand", () => {
  expect(assess({ id: "proxy-id" }, {})).toMatch(/^impossible: it is a disk of the proxy VM itself/);
  expect(assess({}, { id: "its-own" })).toMatch(/^impossible: the proxy VM proxy has this disk already/);
  expect(assess({ cluster: { id: "cluster-3", name: "far" } }, {})).toMatch(
    /^impossible: it is in another data center/,
  );
  expect(assess({}, { storageDomain: { id: "domain-b", name: "vault" } })).toBe(
    "impossible: vault is marked as a backup domain, which runs no machines",
  );
  expect(assess({}, {}, { vm: { status: "paused" } })).toBe("impossible: the proxy VM proxy is paused; it must be up");
  expect(assess({}, {}, { vm: { virtioScsi: false } })).toBe(
    "impossible: VirtIO-SCSI is not enabled on the proxy VM proxy",
  );
  expect(assess({}, {}, { proxy: { missing: "nobody" } })).toBe("impossible: there is no proxy VM: nobody");
});

test("what an engine does not report rules no disk out", () => {
  expect(assess({}, {}, { vm: { virtioScsi: undefined, clusterId: undefined } })).toMatch(/^full/);
  const { cluster: _, ...machine } = { cluster: undefined };
  expect(assess(machine, {})).toMatch(/^full/);
});
