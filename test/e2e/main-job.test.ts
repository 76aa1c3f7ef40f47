import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { PointSummary } from "@ovault/cli";

import { LabRig } from "./support/lab-rig.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
const ODD_BYTES = 5 * MIB + 3 * 512;

let rig: LabRig;
beforeAll(async () => {
  rig = await LabRig.start({
    web01: [
      ["-f", "qcow2", "32M"],
      ["-f", "raw", String(ODD_BYTES)],
    ],
  });
});
afterAll(() => rig.stop());

describe("backing up and restoring a virtual machine", () => {
  const views: Buffer[][] = [];
  let points: readonly PointSummary[] = [];

  function viewOf(point: number, disk: number): Buffer {
    const view = views[point]?.[disk];
    if (view === undefined) throw new Error(`no view of disk ${disk} at point ${point}`);
    return view;
  }

  async function backUp(): Promise<void> {
    views.push([await rig.view("web01_Disk1"), await rig.view("web01_Disk2")]);
    await rig.json("backup", "web01");
    points = await rig.points();
  }

  test("goes full, then incremental, and compares where changes are not tracked", async () => {
    await rig.lab.write("web01", "0", { kind: "random", seed: "1", offset: 3 * MIB - 700, length: 2 * MIB });
    await rig.lab.write("web01", "1", { kind: "pattern", pattern: 7, offset: ODD_BYTES - 512, length: 512 });
    await backUp();
    expect(points.at(-1)?.disks.map(({ mode }) => mode)).toEqual(["full", "full"]);
    await rig.lab.write("web01", "0", { kind: "random", seed: "2", offset: 9 * MIB, length: 64 * 1024 });
    await rig.lab.write("web01", "0", { kind: "zero", offset: 3 * MIB, length: MIB });
    await rig.lab.write("web01", "0", { kind: "discard", offset: 4 * MIB, length: 128 * 1024 });
    await rig.lab.write("web01", "1", { kind: "random", seed: "3", offset: MIB, length: 1000 * 512 });
    await backUp();
    const [qcow2, raw] = points.at(-1)?.disks ?? [];
    expect(qcow2).toMatchObject({ mode: "incremental", logicalBytes: 32 * MIB });
    expect(qcow2?.readBytes).toBeLessThan(4 * MIB);
    expect(raw).toMatchObject({ mode: "compared", logicalBytes: ODD_BYTES });
  });

  test("an unchanged machine stores nothing", async () => {
    await backUp();
    expect(points.at(-1)?.disks.map(({ storedBytes }) => storedBytes)).toEqual([0, 0]);
  });

  test("--full trusts no change tracking, and still stores nothing twice", async () => {
    views.push([await rig.view("web01_Disk1"), await rig.view("web01_Disk2")]);
    await rig.json("backup", "web01", "--full");
    points = await rig.points();
    expect(points.at(-1)?.disks.map(({ mode, storedBytes }) => ({ mode, storedBytes }))).toEqual([
      { mode: "full", storedBytes: 0 },
      { mode: "full", storedBytes: 0 },
    ]);
  });

  test("every point gives back to a file what QEMU saw, without the engine", async () => {
    await rig.lab.fault("engine-503", "on");
    try {
      for (const [index, point] of points.slice(0, 2).entries()) {
        expect((await rig.restored(point.id, "0")).equals(viewOf(index, 0))).toBe(true);
        expect((await rig.restored(point.id, "web01_Disk2")).equals(viewOf(index, 1))).toBe(true);
      }
    } finally {
      await rig.lab.fault("engine-503", "off");
    }
  });

  test("a qcow2 file holds the same, by QEMU's own comparison", async () => {
    const [file, view] = [rig.file("restored.qcow2"), rig.file("now.raw")];
    await rig.json("restore", "web01@latest", "--disk", "web01_Disk1", "--to-file", file, "--format", "qcow2");
    await rig.lab.view("web01_Disk1", view);
    const compared = await run("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", view, file]);
    expect(compared.stdout).toBe("Images are identical.\n");
    expect((await run("qemu-img", ["check", file])).stdout).toContain("No errors were found");
    await Promise.all([rm(file), rm(view)]);
  });

  test("full and incremental points come back as new virtual machines", async () => {
    for (const [index, point] of points.slice(0, 2).entries()) {
      const name = `restored-${index}`;
      const { warnings } = await rig.json<{ readonly warnings: readonly string[] }>("restore", point.id, "--as", name);
      expect(warnings).toEqual([]);
      const { vms } = await rig.lab.status();
      const disks = vms.find((vm) => vm.name === name)?.disks ?? [];
      expect(disks).toHaveLength(2);
      for (const [number, { id }] of disks.entries()) {
        const [restored, original] = [await rig.view(id), viewOf(index, number)];
        // An engine rounds raw disks up to whole blocks of 4 KiB.
        expect(restored.length).toBe(number === 0 ? original.length : Math.ceil(original.length / 4096) * 4096);
        expect(restored.subarray(0, original.length).equals(original)).toBe(true);
        expect(restored.subarray(original.length).every((byte) => byte === 0)).toBe(true);
      }
    }
  });

  test.each(["", "web 01 (restored)", "a/b", "n".repeat(256)])(
    "the name %j, which no machine can have, is found before anything is made, by a dry run as well",
    async (name) => {
      const before = await rig.lab.leftovers();
      for (const more of [["--dry-run"], []]) {
        const { exitCode, stderr } = await rig.ovault("restore", "web01@latest", "--as", name, ...more);
        expect(stderr).toMatch(/cannot be the name of a virtual machine: [^]*--as/);
        expect(exitCode).toBe(2);
      }
      expect(await rig.lab.leftovers()).toEqual(before);
    },
  );

  test("a forgotten point is gone, and the others restore as before", async () => {
    const [first, second] = points;
    await rig.json("forget", first?.id ?? "");
    expect((await rig.points()).map(({ id }) => id)).not.toContain(first?.id);
    expect((await rig.restored(second?.id ?? "", "0")).equals(viewOf(1, 0))).toBe(true);
    expect((await rig.ovault("verify", "--all")).exitCode).toBe(0);
  });

  test("pruning frees what only that point held, and the others restore as before", async () => {
    const report = await rig.json("prune", "--grace", "0", "--repack", "1%");
    expect(report).toMatchObject({ deletedPoints: 1, repackedPacks: 1, condemnedPacks: 0, heldBy: [] });
    expect(await rig.json("space")).toMatchObject({ deadBytes: 0, machines: [{ vm: { name: "web01" } }] });
    expect((await rig.restored(points[1]?.id ?? "", "0")).equals(viewOf(1, 0))).toBe(true);
    expect((await rig.ovault("verify", "--all")).exitCode).toBe(0);
  });

  test("--exclude-disk leaves a disk out, and the point says so", async () => {
    await rig.json("backup", "web01", "--exclude-disk", "web01_Disk2");
    const latest = (await rig.points()).at(-1);
    expect(latest?.disks.map(({ alias }) => alias)).toEqual(["web01_Disk1"]);
    expect(latest?.skipped).toEqual([
      expect.objectContaining({ alias: "web01_Disk2", reason: "excluded by the user" }),
    ]);
    const { exitCode, stderr } = await rig.ovault("restore", "web01@latest", "--disk", "1", "--to-file", "none.raw");
    expect(stderr).toContain("does not hold disk 1: excluded by the user");
    expect(exitCode).toBe(2);
  });

  test("nothing but checkpoints and what was restored is left on the engine", async () => {
    expect(await rig.lab.leftovers()).toMatchObject({
      backups: [],
      transfers: [],
      lockedDisks: [],
      unattachedDisks: [],
      snapshots: [],
      scratch: [],
    });
  });
});
