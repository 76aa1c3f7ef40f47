import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { NbdClient } from "@ovault/nbd";
import { expect, test } from "vitest";

import { QemuHypervisor } from "../src/hypervisor/qemu-hypervisor.ts";
import {
  CLUSTER_BYTES,
  MiB,
  addDisk,
  dirtyClusters,
  openTestHypervisor,
  readContext,
  readExport,
  signal,
  viewDisk,
} from "./support/test-hypervisor.ts";

const run = promisify(execFile);

test("a raw file of odd size is imported byte for byte, and QEMU shows it in whole sectors", async () => {
  const lab = await openTestHypervisor();
  const source = join(lab.directory, "odd.raw");
  const bytes = randomBytes(100_001);
  await writeFile(source, bytes);

  const disk = await lab.hypervisor.importDisk({ storageDomainId: "sd", diskId: "d", volumeId: "v", source });

  expect(disk).toMatchObject({ format: "raw", virtualBytes: 100_352, chain: [{ fileBytes: 100_001 }] });
  expect(await readFile(disk.chain[0]?.path ?? "")).toEqual(bytes);
  const view = Buffer.concat([bytes, Buffer.alloc(351)]);
  expect(await viewDisk(lab, "d")).toEqual(view);
  const [cold] = await lab.hypervisor.startBackup({ backupId: "b", vmId: "vm", disks: [{ diskId: "d" }] });
  expect(cold?.virtualBytes).toBe(view.length);
  expect(cold && (await readExport(cold.nbd))).toEqual(view);
});

test("a qcow2 chain is imported with all its layers and reads the same", async () => {
  const lab = await openTestHypervisor();
  const [base, top] = [join(lab.directory, "base.img"), join(lab.directory, "top.qcow2")];
  await writeFile(base, randomBytes(MiB + 512));
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", top, String(2 * MiB)]);
  await run("qemu-io", ["-c", "write -P 9 512k 700k", top]);
  await run("qemu-img", ["convert", "-O", "raw", top, `${top}.view`]);

  const disk = await lab.hypervisor.importDisk({ storageDomainId: "sd", diskId: "d", volumeId: "v", source: top });

  expect(disk.chain.map(({ format }) => format)).toEqual(["raw", "cow"]);
  expect(disk.chain.at(-1)?.volumeId).toBe("v");
  const view = await readFile(`${top}.view`);
  expect(view.equals(await viewDisk(lab, "d"))).toBe(true);
  await lab.hypervisor.startVm("vm", [{ diskId: "d" }]);
  expect(view.equals(await viewDisk(lab, "d"))).toBe(true);
});

test("what is neither qcow2 nor raw is refused, and leaves nothing behind", async () => {
  const lab = await openTestHypervisor();
  const source = join(lab.directory, "image.vmdk");
  await run("qemu-img", ["create", "-q", "-f", "vmdk", source, "1M"]);
  const importing = lab.hypervisor.importDisk({ storageDomainId: "sd", diskId: "d", volumeId: "v", source });
  await expect(importing).rejects.toThrow("vmdk");
  expect(lab.hypervisor.listDisks()).toEqual([]);
  expect(await readdir(join(lab.directory, "storage", "sd", "images"))).toEqual([]);
});

test("only the guest of a running machine writes", async () => {
  const lab = await openTestHypervisor();
  await addDisk(lab, "disk");
  const write = { kind: "zero", offset: 0, length: 512 } as const;
  await expect(lab.hypervisor.guestWrite("disk", write)).rejects.toThrow("no running machine has disk disk");
});

test("a disk grows under a running machine and keeps its checkpoints", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks: [{ diskId: "disk", toCheckpointId: "c" }] });
  await hypervisor.stopBackup("b");
  expect(await hypervisor.resizeDisk("disk", 6 * MiB)).toMatchObject({ virtualBytes: 6 * MiB });
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: 5 * MiB, length: 1 });

  const [backup] = await hypervisor.startBackup({
    backupId: "b",
    vmId: "vm",
    disks: [{ diskId: "disk", fromCheckpointId: "c" }],
  });
  expect(backup?.virtualBytes).toBe(6 * MiB);
  expect(backup && (await dirtyClusters(backup.nbd, "backup"))).toEqual([(5 * MiB) / CLUSTER_BYTES]);
  await expect(hypervisor.resizeDisk("disk", MiB)).rejects.toThrow("cannot shrink");
});

test("disks are plugged into and unplugged from a running machine", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "a");
  await addDisk(lab, "b");
  await hypervisor.startVm("vm", [{ diskId: "a" }]);
  await hypervisor.plugDisk("vm", { diskId: "b" });
  await hypervisor.guestWrite("b", { kind: "pattern", pattern: 5, offset: 0, length: MiB });
  await expect(hypervisor.removeDisk("b")).rejects.toThrow("in use");
  await hypervisor.unplugDisk("vm", "b", signal);
  expect((await viewDisk(lab, "b")).subarray(0, MiB)).toEqual(Buffer.alloc(MiB, 5));
  await hypervisor.removeDisk("b");
  expect(hypervisor.listDisks()).toEqual(["a"]);
});

test("a snapshot freezes its volume; removing it merges the newer one into it", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: 0, length: MiB });
  const frozen = await viewDisk(lab, "disk");
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "second" }]);
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "third" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 2, offset: 512, length: 512 });
  const now = await viewDisk(lab, "disk");

  const nbd = await hypervisor.openExport({ exportId: "e", diskId: "disk", volumeId: "disk-volume", writable: false });
  expect(frozen.equals(await readExport(nbd))).toBe(true);
  await hypervisor.closeExport("e");

  await hypervisor.removeSnapshot("disk", "disk-volume");
  expect((await hypervisor.diskInfo("disk")).chain.map(({ volumeId }) => volumeId)).toEqual(["disk-volume", "third"]);
  expect(now.equals(await viewDisk(lab, "disk"))).toBe(true);
  await hypervisor.stopVm("vm", { graceful: true });
  await hypervisor.removeSnapshot("disk", "disk-volume");
  expect((await hypervisor.diskInfo("disk")).chain.map(({ volumeId }) => volumeId)).toEqual(["disk-volume"]);
  expect(now.equals(await viewDisk(lab, "disk"))).toBe(true);
});

test("an increment reaches across snapshots made, and removed, since its checkpoint", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  const touch = (cluster: number): Promise<void> =>
    hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: cluster * CLUSTER_BYTES, length: 1 });
  const backup = async (fromCheckpointId: string | undefined, toCheckpointId: string): Promise<readonly number[]> => {
    const from = fromCheckpointId === undefined ? {} : { fromCheckpointId };
    const disks = [{ diskId: "disk", toCheckpointId, ...from }];
    const [disk] = await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks });
    const clusters = disk?.dirtyBitmap === undefined ? [] : await dirtyClusters(disk.nbd, disk.dirtyBitmap);
    await hypervisor.stopBackup("b");
    return clusters;
  };
  await touch(1);
  await backup(undefined, "c1");
  await touch(2);
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "second" }]);
  await touch(3);
  expect(await backup("c1", "c2")).toEqual([2, 3]);
  await touch(4);
  await hypervisor.removeSnapshot("disk", "disk-volume");
  await touch(5);
  expect(await backup("c2", "c3")).toEqual([4, 5]);
  expect(await backup("c1", "c4")).toEqual([2, 3, 4, 5]);
});

test("an upload goes through a writable export, and zeros become holes", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  const { path, exportName } = await hypervisor.openExport({ exportId: "up", diskId: "disk", writable: true });
  const client = await NbdClient.connect({ address: { path }, exportName, signal });
  await client.write(0, Buffer.alloc(MiB, 3), {}, signal);
  await client.write(MiB, Buffer.alloc(MiB), {}, signal);
  await expect(hypervisor.startVm("vm", [{ diskId: "disk" }])).rejects.toThrow("in use");
  await client.close();
  await hypervisor.closeExport("up");

  const nbd = await hypervisor.openExport({ exportId: "down", diskId: "disk", writable: false });
  expect((await readContext(nbd, "base:allocation")).map(({ length, flags }) => [length, flags & 2])).toEqual([
    [MiB, 0],
    [3 * MiB, 2],
  ]);
});

test("a shallow export shows one layer and tells what is not in it", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: 0, length: MiB });
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "second" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 2, offset: 2 * MiB, length: MiB });
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "third" }]);

  const volume = { diskId: "disk", volumeId: "second", writable: false };
  const nbd = await hypervisor.openExport({ exportId: "e", ...volume, shallow: true });
  const depths = await readContext(nbd, "qemu:allocation-depth");
  expect(depths.map(({ length, flags }) => [length / MiB, flags])).toEqual([
    [2, 0],
    [1, 1],
    [1, 0],
  ]);
});

test("a tree can be opened again, with disks, bitmaps and nothing running", async () => {
  const lab = await openTestHypervisor();
  await addDisk(lab, "disk");
  await lab.hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await lab.hypervisor.guestWrite("disk", { kind: "pattern", pattern: 4, offset: 0, length: MiB });
  const disks = [{ diskId: "disk", toCheckpointId: "c" }];
  await lab.hypervisor.startBackup({ backupId: "b", vmId: "vm", disks });
  const before = await viewDisk(lab, "disk");
  await lab.hypervisor.close();

  const hypervisor = await QemuHypervisor.open(join(lab.directory, "storage"));
  expect(hypervisor.vmState("vm")).toBe("down");
  expect(await hypervisor.checkpointState("disk", "c")).toBe("ok");
  expect(before.equals(await viewDisk({ ...lab, hypervisor }, "disk"))).toBe(true);
  await hypervisor.close();
});

test("when the lab is killed its QEMU processes end, and the tree opens again", async () => {
  const lab = await openTestHypervisor();
  await addDisk(lab, "disk");
  await lab.hypervisor.close();
  const storage = join(lab.directory, "storage");
  const module = new URL("../src/hypervisor/qemu-hypervisor.ts", import.meta.url).href;
  const script = `
    const { QemuHypervisor } = await import(${JSON.stringify(module)});
    const hypervisor = await QemuHypervisor.open(${JSON.stringify(storage)});
    await hypervisor.startVm("vm", [{ diskId: "disk" }]);
    process.kill(process.pid, "SIGKILL");`;
  await expect(run(process.execPath, ["--input-type=module", "-e", script])).rejects.toMatchObject({
    signal: "SIGKILL",
  });

  const hypervisor = await QemuHypervisor.open(storage);
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.close();
});
