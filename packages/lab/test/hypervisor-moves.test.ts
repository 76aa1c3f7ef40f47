import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { BackupDisk } from "../src/hypervisor/hypervisor.ts";
import {
  CLUSTER_BYTES,
  MiB,
  addDisk,
  dirtyClusters,
  openTestHypervisor,
  readExport,
  viewDisk,
} from "./support/test-hypervisor.ts";

const DOMAINS = ["domain", "other"] as const;
const beforeChange = async (): Promise<void> => {};

test("an increment spans moves of its disk, at rest and live, before and after a snapshot", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  const write = (cluster: number) =>
    hypervisor.guestWrite("disk", { kind: "pattern", pattern: 3, offset: cluster * CLUSTER_BYTES, length: 1 });
  await write(0);
  await hypervisor.startBackup({ backupId: "b1", vmId: "vm", disks: [{ diskId: "disk", toCheckpointId: "c1" }] });
  await hypervisor.stopBackup("b1");
  await write(5);
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "above" }]);
  await write(7);
  await hypervisor.moveDisk("disk", { storageDomainId: "other", beforeChange: () => write(9) });
  await write(11);
  await hypervisor.removeSnapshot("disk", "disk-volume");
  await write(13);
  await hypervisor.stopVm("vm", { graceful: true });
  await hypervisor.moveDisk("disk", { storageDomainId: "domain", beforeChange });
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await write(15);

  const [increment] = await hypervisor.startBackup({
    backupId: "b2",
    vmId: "vm",
    disks: [{ diskId: "disk", fromCheckpointId: "c1" }],
  });
  expect(increment?.mode).toBe("incremental");
  expect(await dirtyClusters(nbdOf(increment), "backup")).toEqual([5, 7, 9, 11, 13, 15]);
  const bytes = await readExport(nbdOf(increment));
  expect([0, 5, 7, 9, 11, 13, 15].map((cluster) => bytes[cluster * CLUSTER_BYTES])).toEqual(Array(7).fill(3));
});

test("a disk is what its guest wrote, however often it moves, with snapshots and without", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor, directory } = lab;
  let runs = 0;
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ write: fc.nat(63), byte: fc.integer({ min: 1, max: 255 }) }) },
    fc.constantFrom("move" as const, "move while written" as const, "snapshot" as const, "restart" as const),
  );
  const steps = fc.array(step, { minLength: 3, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom("raw" as const, "cow" as const), async (all, format) => {
      const diskId = `disk${++runs}`;
      const expected = Buffer.alloc(4 * MiB);
      const write = async (cluster: number, byte: number): Promise<void> => {
        const range = { offset: cluster * CLUSTER_BYTES, length: CLUSTER_BYTES };
        expected.fill(byte, range.offset, range.offset + range.length);
        await hypervisor.guestWrite(diskId, { kind: "pattern", pattern: byte, ...range });
      };
      await addDisk(lab, diskId, { format });
      let isUp = false;
      for (const [index, now] of all.entries()) {
        const domain = (await hypervisor.diskInfo(diskId)).storageDomainId;
        const storageDomainId = domain === DOMAINS[0] ? DOMAINS[1] : DOMAINS[0];
        if (now === "restart" || (typeof now === "object" && !isUp)) {
          if (isUp) await hypervisor.stopVm("vm", { graceful: true });
          else await hypervisor.startVm("vm", [{ diskId }]);
          isUp = !isUp;
        }
        if (typeof now === "object") await write(now.write, now.byte);
        else if (now === "snapshot") await hypervisor.createSnapshot([{ diskId, newVolumeId: `${diskId}-${index}` }]);
        else if (now !== "restart") {
          const alsoWrites = now === "move while written" && isUp;
          await hypervisor.moveDisk(diskId, {
            storageDomainId,
            beforeChange: alsoWrites ? () => write(3, 77) : beforeChange,
          });
          expect((await hypervisor.diskInfo(diskId)).storageDomainId).toBe(storageDomainId);
          await expect(stat(join(directory, "storage", domain, "images", diskId))).rejects.toThrow("ENOENT");
        }
      }
      expect((await viewDisk(lab, diskId)).equals(expected)).toBe(true);
      await hypervisor.stopVm("vm", { graceful: true });
      expect((await viewDisk(lab, diskId)).equals(expected)).toBe(true);
      await hypervisor.removeDisk(diskId);
    }),
    { numRuns: 12 },
  );
});

test("a move that fails changes nothing: not the disk, not its machine, not the target", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor, directory } = lab;
  await addDisk(lab, "disk");
  const fail = () => Promise.reject(new Error("the host has failed"));
  const refused = () => hypervisor.moveDisk("disk", { storageDomainId: "other", beforeChange: fail });
  await expect(refused()).rejects.toThrow("the host has failed");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: 0, length: MiB });
  await expect(refused()).rejects.toThrow("the host has failed");
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 2, offset: MiB, length: MiB });
  const bytes = await viewDisk(lab, "disk");
  expect([bytes[0], bytes[MiB], bytes[2 * MiB]]).toEqual([1, 2, 0]);
  expect((await hypervisor.diskInfo("disk")).storageDomainId).toBe("domain");
  expect(await readdir(join(directory, "storage/other/images"))).toEqual([]);
  await hypervisor.moveDisk("disk", { storageDomainId: "other", beforeChange });
  expect((await viewDisk(lab, "disk")).equals(bytes)).toBe(true);
});

function nbdOf(disk: BackupDisk | undefined): BackupDisk["nbd"] {
  if (disk === undefined) throw new Error("no disk");
  return disk.nbd;
}
