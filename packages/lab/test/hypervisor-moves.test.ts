import { readdir } from "node:fs/promises";
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
  type TestHypervisor,
} from "./support/test-hypervisor.ts";

const DOMAINS = ["domain", "other"] as const;
const beforeChange = async (): Promise<void> => {};
const hostFails = (): Promise<void> => Promise.reject(new Error("the host has failed"));

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

type Step = "move" | "move while written" | "snapshot" | "restart" | { readonly write: number; readonly byte: number };

test("a disk is what its guest wrote, however often it moves, with snapshots and without", async () => {
  const lab = await openTestHypervisor();
  let runs = 0;
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ write: fc.nat(63), byte: fc.integer({ min: 1, max: 255 }) }) },
    fc.constantFrom<Step>("move", "move while written", "snapshot", "restart"),
  );
  const steps = fc.array<Step>(step, { minLength: 3, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom("raw" as const, "cow" as const), async (all, format) => {
      const diskId = `disk${++runs}`;
      await addDisk(lab, diskId, { format });
      const guest = new MovedGuest(lab, diskId);
      for (const now of all) await guest.take(now);
      expect((await viewDisk(lab, diskId)).equals(guest.expected)).toBe(true);
      await lab.hypervisor.stopVm(diskId, { graceful: true });
      expect((await viewDisk(lab, diskId)).equals(guest.expected)).toBe(true);
      expect(await placesOf(lab, diskId)).toEqual([(await lab.hypervisor.diskInfo(diskId)).storageDomainId]);
      await lab.hypervisor.removeDisk(diskId);
    }),
    { numRuns: 12 },
  );
});

/** A machine of one disk, and what its disk must be. */
class MovedGuest {
  readonly expected = Buffer.alloc(4 * MiB);
  readonly #lab: TestHypervisor;
  readonly #diskId: string;
  #isUp = false;
  #snapshots = 0;

  constructor(lab: TestHypervisor, diskId: string) {
    this.#lab = lab;
    this.#diskId = diskId;
  }

  async take(step: Step): Promise<void> {
    const { hypervisor } = this.#lab;
    if (typeof step === "object") return this.#write(step.write, step.byte);
    switch (step) {
      case "snapshot":
        this.#snapshots += 1;
        return hypervisor.createSnapshot([{ diskId: this.#diskId, newVolumeId: `${this.#diskId}-${this.#snapshots}` }]);
      case "restart":
        return this.#isUp ? this.#stop() : this.#start();
      default: {
        const { storageDomainId: now } = await hypervisor.diskInfo(this.#diskId);
        const writes = step === "move while written" && this.#isUp;
        const during = writes ? () => this.#write(3, 77) : beforeChange;
        const storageDomainId = now === DOMAINS[0] ? DOMAINS[1] : DOMAINS[0];
        return hypervisor.moveDisk(this.#diskId, { storageDomainId, beforeChange: during });
      }
    }
  }

  async #write(cluster: number, byte: number): Promise<void> {
    if (!this.#isUp) await this.#start();
    const range = { offset: cluster * CLUSTER_BYTES, length: CLUSTER_BYTES };
    this.expected.fill(byte, range.offset, range.offset + range.length);
    await this.#lab.hypervisor.guestWrite(this.#diskId, { kind: "pattern", pattern: byte, ...range });
  }

  async #start(): Promise<void> {
    await this.#lab.hypervisor.startVm(this.#diskId, [{ diskId: this.#diskId }]);
    this.#isUp = true;
  }

  async #stop(): Promise<void> {
    await this.#lab.hypervisor.stopVm(this.#diskId, { graceful: true });
    this.#isUp = false;
  }
}

/** The storage domains that have files of a disk. */
async function placesOf({ directory }: TestHypervisor, diskId: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const domain of DOMAINS) {
    const names: readonly string[] = await readdir(join(directory, "storage", domain, "images")).catch(() => []);
    if (names.includes(diskId)) found.push(domain);
  }
  return found;
}

test("a move that fails changes nothing: not the disk, not its machine, not the target", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor, directory } = lab;
  await addDisk(lab, "disk");
  const refused = () => hypervisor.moveDisk("disk", { storageDomainId: "other", beforeChange: hostFails });
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
