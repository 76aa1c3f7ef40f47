import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { GuestWrite } from "../src/hypervisor/hypervisor.ts";
import {
  CLUSTER_BYTES,
  MiB,
  addDisk,
  dirtyClusters,
  openTestHypervisor,
  readContext,
  readExport,
  viewDisk,
} from "./support/test-hypervisor.ts";

const DISK_BYTES = 2 * MiB;

test("a full backup shows the disk as it was when it started, whatever the guest does meanwhile", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "random", seed: "before", offset: MiB, length: 2 * MiB });
  const before = await viewDisk(lab, "disk");

  const [backup] = await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks: [{ diskId: "disk" }] });
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 7, offset: 0, length: MiB + 100_000 });
  await hypervisor.guestWrite("disk", { kind: "zero", offset: 2 * MiB, length: 500_000 });

  expect(backup?.mode).toBe("full");
  expect(before.equals(await readExport(nbdOf(backup)))).toBe(true);
  expect(before.equals(await viewDisk(lab, "disk"))).toBe(false);
  await hypervisor.stopBackup("b");
  await expect(readExport(nbdOf(backup))).rejects.toThrow("export");
});

test("an increment's dirty map names exactly the clusters written since its checkpoint", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: 0, length: 2 * MiB });
  await hypervisor.startBackup({ backupId: "b1", vmId: "vm", disks: [{ diskId: "disk", toCheckpointId: "c1" }] });
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 2, offset: 5 * CLUSTER_BYTES + 100, length: 1 });
  await hypervisor.stopBackup("b1");
  await hypervisor.guestWrite("disk", { kind: "zero", offset: 9 * CLUSTER_BYTES, length: 2 * CLUSTER_BYTES });
  await hypervisor.guestWrite("disk", { kind: "discard", offset: 20 * CLUSTER_BYTES, length: CLUSTER_BYTES });

  const [increment] = await hypervisor.startBackup({
    backupId: "b2",
    vmId: "vm",
    disks: [{ diskId: "disk", fromCheckpointId: "c1", toCheckpointId: "c2" }],
  });

  expect(increment).toMatchObject({ mode: "incremental", dirtyBitmap: "backup", virtualBytes: 4 * MiB });
  expect(await dirtyClusters(nbdOf(increment), "backup")).toEqual([5, 9, 10, 20]);
  const zeros = (await readContext(nbdOf(increment), "base:allocation")).filter(({ flags }) => (flags & 2) !== 0);
  expect(zeros).toContainEqual(expect.objectContaining({ offset: 9 * CLUSTER_BYTES, length: 2 * CLUSTER_BYTES }));
});

test("full plus increments is the disk, for any guest", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(guestWrite(), { maxLength: 5 }), { minLength: 2, maxLength: 3 }),
      async (steps) => {
        const diskId = `disk${++runs}`;
        await addDisk(lab, diskId, { virtualBytes: DISK_BYTES });
        await hypervisor.startVm(diskId, [{ diskId }]);
        const restored = Buffer.alloc(DISK_BYTES);
        let checkpoint: string | undefined;
        for (const [index, writes] of steps.entries()) {
          for (const write of writes) await hypervisor.guestWrite(diskId, write);
          const now = await viewDisk(lab, diskId);
          const from = checkpoint === undefined ? {} : { fromCheckpointId: checkpoint };
          checkpoint = `${diskId}-${index}`;
          const [backup] = await hypervisor.startBackup({
            backupId: checkpoint,
            vmId: diskId,
            disks: [{ diskId, ...from, toCheckpointId: checkpoint }],
          });
          for (const write of writes)
            await hypervisor.guestWrite(diskId, { ...write, kind: "pattern", pattern: index });
          const served = await readExport(nbdOf(backup));
          const changed =
            backup?.dirtyBitmap === undefined
              ? Array.from({ length: DISK_BYTES / CLUSTER_BYTES }, (_, cluster) => cluster)
              : await dirtyClusters(backup.nbd, backup.dirtyBitmap);
          for (const cluster of changed) {
            served.copy(restored, cluster * CLUSTER_BYTES, cluster * CLUSTER_BYTES, (cluster + 1) * CLUSTER_BYTES);
          }
          await hypervisor.stopBackup(checkpoint);
          expect(restored.equals(now)).toBe(true);
        }
        await hypervisor.stopVm(diskId, { graceful: true });
      },
    ),
    { numRuns: 8 },
  );
});

test("a raw disk joins a backup in full and holds no checkpoint", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "cow");
  await addDisk(lab, "raw", { format: "raw" });
  await hypervisor.startVm("vm", [{ diskId: "cow" }, { diskId: "raw" }]);
  await hypervisor.guestWrite("raw", { kind: "random", seed: "x", offset: MiB, length: MiB });
  const disks = ["cow", "raw"].map((diskId) => ({ diskId, toCheckpointId: "c1" }));
  await hypervisor.startBackup({ backupId: "b1", vmId: "vm", disks });
  await hypervisor.stopBackup("b1");

  expect(await hypervisor.checkpointState("cow", "c1")).toBe("ok");
  expect(await hypervisor.checkpointState("raw", "c1")).toBe("missing");
  const next = ["cow", "raw"].map((diskId) => ({ diskId, fromCheckpointId: "c1" }));
  const backup = await hypervisor.startBackup({ backupId: "b2", vmId: "vm", disks: next });
  expect(backup.map(({ mode }) => mode)).toEqual(["incremental", "full"]);
  const before = await viewDisk(lab, "raw");
  await hypervisor.guestWrite("raw", { kind: "zero", offset: MiB, length: MiB });
  expect(before.equals(await readExport(nbdOf(backup[1])))).toBe(true);
});

test("a machine that is down is backed up by a process of its own, and its checkpoint counts when it runs", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "random", seed: "x", offset: 0, length: MiB });
  await hypervisor.stopVm("vm", { graceful: true });
  const disks = [{ diskId: "disk", toCheckpointId: "c1" }];

  const [cold] = await hypervisor.startBackup({ backupId: "b1", vmId: "vm", disks });
  expect(hypervisor.vmState("vm")).toBe("down");
  expect((await readExport(nbdOf(cold))).equals(await viewDisk(lab, "disk"))).toBe(true);
  await expect(hypervisor.startVm("vm", [{ diskId: "disk" }])).rejects.toMatchObject({ code: "E_LAB_HYPERVISOR" });
  await hypervisor.stopBackup("b1");

  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "zero", offset: 0, length: 1 });
  const [increment] = await hypervisor.startBackup({
    backupId: "b2",
    vmId: "vm",
    disks: [{ diskId: "disk", fromCheckpointId: "c1" }],
  });
  expect(await dirtyClusters(nbdOf(increment), "backup")).toEqual([0]);
});

test("checkpoints can go from any place in the chain without harm to the others", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  for (const [index, checkpoint] of ["c0", "c1", "c2"].entries()) {
    const disks = [{ diskId: "disk", toCheckpointId: checkpoint }];
    await hypervisor.startBackup({ backupId: checkpoint, vmId: "vm", disks });
    await hypervisor.stopBackup(checkpoint);
    await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: index * CLUSTER_BYTES, length: 1 });
  }
  await hypervisor.removeCheckpoint(["disk"], "c1");
  await hypervisor.removeCheckpoint(["disk"], "c1");

  const changedSince = async (fromCheckpointId: string): Promise<readonly number[]> => {
    const disks = [{ diskId: "disk", fromCheckpointId }];
    const [backup] = await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks });
    const clusters = await dirtyClusters(nbdOf(backup), "backup");
    await hypervisor.stopBackup("b");
    return clusters;
  };
  expect(await hypervisor.checkpointState("disk", "c1")).toBe("missing");
  expect(await changedSince("c0")).toEqual([0, 1, 2]);
  expect(await changedSince("c2")).toEqual([2]);
});

test("checkpoints survive a shutdown, and are inconsistent after a power cut", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks: [{ diskId: "disk", toCheckpointId: "c" }] });
  await hypervisor.stopVm("vm", { graceful: true });
  expect(await hypervisor.checkpointState("disk", "c")).toBe("ok");

  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.stopVm("vm", { graceful: false });
  expect(hypervisor.vmState("vm")).toBe("down");
  expect(await hypervisor.checkpointState("disk", "c")).toBe("inconsistent");

  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  expect(await hypervisor.checkpointState("disk", "c")).toBe("inconsistent");
  const disks = [{ diskId: "disk", fromCheckpointId: "c" }];
  await expect(hypervisor.startBackup({ backupId: "b", vmId: "vm", disks })).rejects.toMatchObject({
    code: "E_LAB_CHECKPOINT",
  });
  await hypervisor.removeCheckpoint(["disk"], "c");
  const [backup] = await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks });
  expect(backup?.mode).toBe("full");
});

test("a broken checkpoint is inconsistent, and the machine runs all the same", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks: [{ diskId: "disk", toCheckpointId: "c" }] });
  await hypervisor.stopBackup("b");
  await hypervisor.stopVm("vm", { graceful: true });
  await hypervisor.breakCheckpoints("disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  expect(await hypervisor.checkpointState("disk", "c")).toBe("inconsistent");
  await hypervisor.guestWrite("disk", { kind: "zero", offset: 0, length: 1 });
});

test("a power cut ends a running backup and leaves no scratch image", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  const disks = [{ diskId: "disk" }];
  const [backup] = await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks });
  await hypervisor.stopVm("vm", { graceful: false });
  await expect(readExport(nbdOf(backup))).rejects.toMatchObject({ code: "E_NBD_CONNECTION" });
  await hypervisor.stopBackup("b");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.startBackup({ backupId: "b", vmId: "vm", disks });
});

function nbdOf(backup: { nbd: { path: string; exportName: string } } | undefined): {
  path: string;
  exportName: string;
} {
  if (backup === undefined) throw new Error("the backup has no such disk");
  return backup.nbd;
}

function guestWrite(): fc.Arbitrary<GuestWrite> {
  const range = fc
    .tuple(fc.integer({ min: 0, max: DISK_BYTES - 1 }), fc.integer({ min: 1, max: 5 * CLUSTER_BYTES }))
    .map(([offset, length]) => ({ offset, length: Math.min(length, DISK_BYTES - offset) }));
  const what = fc.oneof(
    fc.record({ kind: fc.constant("pattern" as const), pattern: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constant("random" as const), seed: fc.string() }),
    fc.record({ kind: fc.constant("zero" as const) }),
    fc.record({ kind: fc.constant("discard" as const) }),
  );
  return fc.tuple(range, what).map(([where, how]) => ({ ...where, ...how }));
}
