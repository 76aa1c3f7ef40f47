import { expect, test } from "vitest";

import { assessDisk } from "../src/assess-disk.ts";
import { diskOf, vm } from "./support/arbitraries.ts";

import type { Disk, VirtualMachine } from "@ovault/contract";

const engine = { backups: true };

test.each<[string, string, Partial<Disk>, Partial<VirtualMachine>, RegExp]>([
  ["a QCOW2 disk with incremental backup", "incremental", {}, {}, /tracked/],
  ["a machine that is down", "incremental", {}, { status: "down" }, /tracked/],
  ["a raw disk", "full", { format: "raw" }, {}, /raw/],
  ["a disk without incremental backup", "full", { attributes: {} }, {}, /not enabled/],
  ["a machine that migrates, which passes", "incremental", {}, { status: "migrating" }, /tracked/],
  ["a LUN", "skip", { attributes: { storageType: "lun" } }, {}, /lun/],
  ["a disk of another content", "skip", { attributes: { contentType: "ovf_store" } }, {}, /ovf_store/],
  ["a shareable disk", "skip", { attributes: { shareable: true } }, {}, /shareable/],
  ["the hosted engine", "skip", {}, { attributes: { origin: "managed_hosted_engine" } }, /engine itself/],
  ["a LUN of a paused machine", "skip", { attributes: { storageType: "lun" } }, { status: "paused" }, /lun/],
  ["a paused machine", "impossible", {}, { status: "paused" }, /paused/],
  ["an unplugged disk", "impossible", { attributes: { active: false } }, {}, /plugged/],
  ["an illegal disk", "impossible", { attributes: { status: "illegal" } }, {}, /illegal/],
])("%s is assessed as %s", (_what, verdict, disk, machine, reason) => {
  const assessed = assessDisk({ ...vm, ...machine }, diskOf("disk-1", disk), engine);
  expect(assessed).toEqual({ diskId: "disk-1", verdict, reason: expect.stringMatching(reason) });
});

test("an engine without the backup API can take nothing, but what must not be touched stays so", () => {
  const old = { backups: false };
  expect(assessDisk(vm, diskOf("disk-1"), old)).toMatchObject({
    verdict: "impossible",
    reason: expect.stringMatching(/4\.4/),
  });
  expect(assessDisk(vm, diskOf("disk-1", { attributes: { shareable: true } }), old)).toMatchObject({ verdict: "skip" });
});

test("how to have changes tracked is said of QCOW2 disks alone: those of a raw disk cannot be", () => {
  const advice = /'Enable Incremental Backup' is not enabled in the disk's settings/;
  expect(assessDisk(vm, diskOf("disk-1", { attributes: {} }), engine).reason).toMatch(advice);
  expect(assessDisk(vm, diskOf("disk-1", { format: "raw", attributes: {} }), engine).reason).not.toMatch(/nable/);
});
