import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { blockNumber } from "../src/block-number.ts";
import { deviceNames } from "../src/device-names.ts";
import { lookAtDevice } from "../src/device.ts";
import { assertNoDevice, findDevice } from "../src/find-device.ts";
import { holdersOf } from "../src/holders-of.ts";
import { openDevice } from "../src/open-device.ts";
import { assertDistinctSerials } from "../src/assert-distinct-serials.ts";
import { zeroRange } from "../src/zero-range.ts";
import { attachLoop, detachLoop } from "./support/loop-device.ts";
import { canLoop } from "./support/needs.ts";

import type { Disk } from "@ovault/contract";

const run = promisify(execFile);
const MIB = 1024 * 1024;
const never = new AbortController().signal;
const DISK_ID = "7b8f4a0e-93f7-4b44-a1d0-5f3ad1d2c7aa";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-device-"));
});
afterEach(() => rm(directory, { recursive: true }));

async function makeFile(name: string, bytes: number): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, "");
  await truncate(path, bytes);
  return path;
}

function disk(id: string): Disk {
  return {
    id,
    alias: id,
    index: 0,
    logicalBytes: 1,
    format: "raw",
    sparse: true,
    bootable: false,
    interface: "virtio",
    attributes: {},
  };
}

function wanted(timeoutMs: number) {
  return { directory, diskId: DISK_ID, alias: "web_Disk1", timeoutMs };
}

test("device numbers are formatted as the kernel names them", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 0xffff_ffffn }),
      fc.bigInt({ min: 0n, max: 0xffff_ffffn }),
      (major, minor) => {
        const device =
          ((major & ~0xfffn) << 32n) | ((major & 0xfffn) << 8n) | ((minor & ~0xffn) << 12n) | (minor & 0xffn);
        return blockNumber(device) === `${major}:${minor}`;
      },
    ),
  );
});

test.each(deviceNames(DISK_ID))("a device is found as %s, when it appears and has its size", async (name) => {
  const found = findDevice(wanted(60_000), MIB, never);
  const path = await makeFile("somewhere", 0);
  await symlink("somewhere", join(directory, name));
  await truncate(path, MIB);
  expect(await found).toMatchObject({ bytes: MIB, sysfs: undefined });
});

test("a device that does not appear is an error that says where it was looked for, and what to look at", async () => {
  const missing = findDevice(wanted(1), MIB, never);
  await expect(missing).rejects.toMatchObject({
    code: "E_DEVICE",
    message: expect.stringContaining(`${directory} within 0.001 s, as any of scsi-0QEMU_QEMU_HARDDISK_${DISK_ID}`),
    hint: expect.stringContaining("lsblk"),
  });
});

test("a device of another size is refused, smaller or larger", async () => {
  await makeFile(deviceNames(DISK_ID)[0] ?? "", MIB);
  for (const bytes of [MIB - 512, MIB + 512, MIB + 4096]) {
    const message = `has ${MIB} bytes where the disk has ${bytes}`;
    await expect(findDevice(wanted(60_000), bytes, never)).rejects.toThrow(message);
  }
});

test("what is neither a block device nor a file is refused", async () => {
  await symlink("/dev/null", join(directory, deviceNames(DISK_ID)[0] ?? ""));
  await expect(findDevice(wanted(60_000), MIB, never)).rejects.toThrow("neither a block device nor a file");
});

test("a device that has the name already is waited for to go, and then refused", async () => {
  const path = await makeFile(deviceNames(DISK_ID)[4] ?? "", MIB);
  await expect(assertNoDevice(wanted(1), never)).rejects.toThrow("named as that of disk web_Disk1 already");
  const gone = assertNoDevice(wanted(60_000), never);
  await rm(path);
  await gone;
});

test("looking for a device ends with its signal", async () => {
  const controller = new AbortController();
  const looking = findDevice(wanted(60_000), MIB, controller.signal);
  controller.abort();
  await expect(looking).rejects.toMatchObject({ name: "AbortError" });
});

test("disks whose ids begin alike are refused, others are not", () => {
  expect(() => assertDistinctSerials([disk(DISK_ID), disk(`${DISK_ID.slice(0, 20)}0000-000000000000`)])).toThrow(
    "begin alike",
  );
  expect(() => assertDistinctSerials([disk(DISK_ID), disk("7b8f4a0e-93f7-4b44-b1d0-5f3ad1d2c7aa")])).not.toThrow();
});

test("holders of a device and of its partitions are found in sysfs", async () => {
  // As the kernel lays it out for a disk with a partition that LVM has taken.
  for (const path of ["holders", "sdb1/holders", "sdb2/holders", "queue"]) {
    await mkdir(join(directory, path), { recursive: true });
  }
  expect(await holdersOf(directory)).toEqual([]);
  await mkdir(join(directory, "sdb2/holders/dm-3"));
  expect(await holdersOf(directory)).toEqual(["dm-3"]);
});

describe.skipIf(!(await canLoop()))("block devices", () => {
  let device: string;
  let file: string;
  beforeEach(async () => {
    file = await makeFile("disk", 20 * MIB);
    device = await attachLoop(file);
  });
  afterEach(() => detachLoop(device));

  test("their size is what sysfs says", async () => {
    const link = join(directory, deviceNames(DISK_ID)[1] ?? "");
    await symlink(device, link);
    const found = await findDevice(wanted(60_000), 20 * MIB, never);
    expect(found).toEqual({
      path: device,
      bytes: 20 * MIB,
      sysfs: expect.stringMatching(/^\/sys\/dev\/block\/7:\d+$/),
    });
    expect(await holdersOf(found.sysfs ?? "")).toEqual([]);
  });

  test("one that is mounted is refused; one that is open for us cannot be mounted", async () => {
    const mountPoint = join(directory, "mnt");
    await mkdir(mountPoint);
    await run("mkfs.ext4", ["-q", device]);
    const found = await lookAtDevice(device);
    await run("mount", [device, mountPoint]);
    try {
      await expect(openDevice(found, "read")).rejects.toMatchObject({
        code: "E_DEVICE",
        message: expect.stringContaining("in use on this machine, by a mount"),
        hint: expect.stringContaining("doctor"),
      });
    } finally {
      await run("umount", [mountPoint]);
    }
    const ours = await openDevice(found, "read");
    try {
      await expect(run("mount", [device, mountPoint])).rejects.toThrow(/busy|already mounted/);
      await expect(open(device, constants.O_RDONLY | constants.O_EXCL)).rejects.toMatchObject({ code: "EBUSY" });
    } finally {
      await ours.close();
    }
  });

  test.each(["device", "file"])("ranges of any place and length are zeroed on a %s, and nothing else", async (what) => {
    const target = await lookAtDevice(what === "device" ? device : file);
    const range = fc.tuple(fc.nat(20 * MIB - 1), fc.integer({ min: 1, max: 20 * MIB }));
    const handle = await openDevice(target, "write");
    try {
      await fc.assert(
        fc.asyncProperty(range, fc.boolean(), async ([start, length], aligned) => {
          const expected = Buffer.alloc(20 * MIB, 0xaa);
          await handle.write(expected, 0, expected.length, 0);
          const offset = aligned ? start - (start % 512) : start;
          const end = Math.min(aligned ? offset + Math.ceil(length / 512) * 512 : offset + length, 20 * MIB);
          await zeroRange(target, handle, { offset, length: end - offset }, never);
          expected.fill(0, offset, end);
          const found = Buffer.alloc(20 * MIB);
          await handle.read(found, 0, found.length, 0);
          expect(found.equals(expected)).toBe(true);
        }),
        { numRuns: 4, examples: [[[0, 18 * MIB], true]] },
      );
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Zeroed, but still allocated.
    const { stdout } = await run("stat", ["--format=%b", file]);
    expect(Number(stdout) * 512).toBeGreaterThanOrEqual(20 * MIB);
    expect((await readFile(file)).length).toBe(20 * MIB);
  });
});
