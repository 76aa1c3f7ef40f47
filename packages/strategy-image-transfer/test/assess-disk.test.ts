import { expect, test } from "vitest";

import { assessDisk } from "../src/assess-disk.ts";

import type { Disk, VirtualMachine } from "@ovault/contract";

const vm: VirtualMachine = { id: "vm-1", name: "web", manager: "lab", status: "up", disks: [], attributes: {} };
const plain: Disk = {
  id: "disk-1",
  alias: "web_Disk1",
  index: 0,
  logicalBytes: 1024,
  format: "cow",
  sparse: true,
  bootable: false,
  interface: "virtio_scsi",
  attributes: {},
};
const engine = { snapshotTransfer: true, shallowTransfer: true };

test.each<[string, Partial<Disk>, Partial<VirtualMachine>, Partial<typeof engine>, string, RegExp]>([
  ["QCOW2", {}, {}, {}, "incremental", /layer/],
  ["raw", { format: "raw" }, {}, {}, "incremental", /layer/],
  ["any on an engine before 4.4.3", {}, {}, { shallowTransfer: false }, "incremental", /QCOW2 file/],
  ["any on an engine before 4.2", {}, {}, { snapshotTransfer: false }, "impossible", /4\.2/],
  ["a LUN", { attributes: { storageType: "lun" } }, {}, {}, "skip", /lun/],
  ["shareable", { attributes: { shareable: true } }, {}, {}, "skip", /shareable/],
  ["the engine's own", {}, { attributes: { origin: "managed_hosted_engine" } }, {}, "skip", /engine itself/],
  ["no guest data", { attributes: { contentType: "ovf_store" } }, {}, {}, "skip", /ovf_store/],
  ["illegal", { attributes: { status: "illegal" } }, {}, {}, "impossible", /illegal/],
  ["of a machine that migrates, which passes", {}, { status: "migrating" }, {}, "incremental", /layer/],
])("a disk that is %s", (_name, disk, machine, abilities, verdict, reason) => {
  const assessed = assessDisk({ ...vm, ...machine }, { ...plain, ...disk }, { ...engine, ...abilities });
  expect(assessed).toMatchObject({ verdict, reason: expect.stringMatching(reason) });
});
