import { execFile } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { mkdir, open, readFile, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { systemErrorCode } from "@ovault/contract";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";

import type { PlugDisk } from "../src/hypervisor/hypervisor.ts";
import { QemuHypervisor } from "../src/hypervisor/qemu-hypervisor.ts";
import {
  CLUSTER_BYTES,
  MiB,
  addDisk,
  openTestHypervisor,
  signal,
  viewDisk,
  type TestHypervisor,
} from "./support/test-hypervisor.ts";

const run = promisify(execFile);

/** A machine `proxy` without disks, and a disk with a snapshot whose machine runs. */
async function openSite(): Promise<TestHypervisor & { readonly plug: PlugDisk; readonly path: string }> {
  const lab = await openTestHypervisor();
  const { hypervisor } = lab;
  await addDisk(lab, "disk");
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 1, offset: 0, length: MiB });
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "second" }]);
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 2, offset: 0, length: MiB });
  await hypervisor.startVm("proxy", []);
  const path = join(lab.directory, "my devices", "frozen");
  return { ...lab, path, plug: { diskId: "disk", snapshotVolumeId: "disk-volume", device: { path, writable: true } } };
}

test("what a snapshot froze is read through a device, while the guest writes on and its snapshots come and go", async () => {
  const site = await openSite();
  const { hypervisor, plug, path } = site;
  await hypervisor.plugDisk("proxy", plug);
  const frozen = Buffer.concat([Buffer.alloc(MiB, 1), Buffer.alloc(3 * MiB)]);
  expect(frozen.equals(await readFile(path))).toBe(true);

  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 3, offset: MiB, length: MiB });
  await hypervisor.createSnapshot([{ diskId: "disk", newVolumeId: "third" }]);
  await hypervisor.removeSnapshot("disk", "second");
  await hypervisor.stopVm("vm", { graceful: true });
  await hypervisor.startVm("vm", [{ diskId: "disk" }]);
  expect(frozen.equals(await readFile(path))).toBe(true);
  await expect(hypervisor.removeDisk("disk")).rejects.toThrow("in use");

  await hypervisor.unplugDisk("proxy", "disk", signal);
  expect(await readdir(join(site.directory, "my devices"))).toEqual([]);
  expect((await viewDisk(site, "disk"))[MiB]).toBe(3);
});

test("what is written to a snapshot's device is gone with it, and never reaches disk or snapshot", async () => {
  const site = await openSite();
  const { hypervisor, plug, path } = site;
  await hypervisor.plugDisk("proxy", plug);
  const before = await viewDisk(site, "disk");
  await writeAt(path, Buffer.alloc(MiB, 9), 0);
  expect((await readFile(path))[0]).toBe(9);
  expect(await readdir(join(site.directory, "storage", "scratch"))).toHaveLength(1);

  await hypervisor.unplugDisk("proxy", "disk", signal);
  expect(await readdir(join(site.directory, "storage", "scratch"))).toEqual([]);
  expect(before.equals(await viewDisk(site, "disk"))).toBe(true);
  await hypervisor.plugDisk("proxy", plug);
  expect((await readFile(path))[0]).toBe(1);
});

test("a disk is not unplugged before its device is closed", async () => {
  const { hypervisor, plug, path } = await openSite();
  await hypervisor.plugDisk("proxy", plug);
  const device = await open(path, "r");
  let unplugged = false;
  const unplugging = hypervisor.unplugDisk("proxy", "disk", signal).then(() => (unplugged = true));
  await hypervisor.guestWrite("disk", { kind: "pattern", pattern: 4, offset: 0, length: 512 });
  expect((await device.read(Buffer.alloc(512), 0, 512, 0)).bytesRead).toBe(512);
  expect(unplugged).toBe(false);
  await device.close();
  await unplugging;
  await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a machine that stops or dies takes its devices from under its readers", async () => {
  const { hypervisor, plug, path, directory } = await openSite();
  for (const graceful of [true, false]) {
    await hypervisor.plugDisk("proxy", plug);
    const device = openSync(path, "r");
    const unplugging = hypervisor.unplugDisk("proxy", "disk", signal);
    await hypervisor.stopVm("proxy", { graceful });
    await unplugging;
    expect(() => readSync(device, Buffer.alloc(512), 0, 512, 0)).toThrow("ENOTCONN");
    expect(() => closeSync(device)).toThrow("ENOTCONN");
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await readdir(join(directory, "storage", "scratch"))).toEqual([]);
    await hypervisor.startVm("proxy", []);
  }
});

test("a disk that is shown read-only takes no writes, and a name that is taken is refused", async () => {
  const { hypervisor, plug, path } = await openSite();
  await hypervisor.plugDisk("proxy", { ...plug, device: { path, writable: false } });
  await expect(writeFile(path, "x", { flag: "r+" })).rejects.toMatchObject({ code: "EACCES" });
  await hypervisor.unplugDisk("proxy", "disk", signal);
  await writeFile(path, "somebody's");
  await expect(hypervisor.plugDisk("proxy", plug)).rejects.toThrow("EEXIST");
  expect(await readFile(path, "utf8")).toBe("somebody's");
});

test("a device takes writes and zeros anywhere, and holes of whole clusters; the disk is what they make it", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor, directory } = lab;
  await hypervisor.startVm("proxy", []);
  const bytes = 4 * MiB;
  const kind = fc.constantFrom("write", "--zero-range", "--punch-hole");
  const change = fc
    .tuple(kind, fc.nat(bytes - 1), fc.integer({ min: 1, max: 2 * MiB }), fc.integer({ min: 1, max: 255 }))
    .map(([what, from, size, byte]) => {
      const grain = what === "--punch-hole" ? CLUSTER_BYTES : 1;
      const offset = Math.floor(from / grain) * grain;
      return { what, offset, length: Math.min(Math.ceil(size / grain) * grain, bytes - offset), byte };
    });
  let made = 0;
  const check = fc.asyncProperty(
    fc.array(change, { maxLength: 6 }),
    fc.constantFrom("cow", "raw"),
    async (all, format) => {
      const diskId = `disk${(made += 1)}`;
      await addDisk(lab, diskId, { format, virtualBytes: bytes });
      const path = join(directory, diskId);
      await hypervisor.plugDisk("proxy", { diskId, device: { path, writable: true } });
      const expected = Buffer.alloc(bytes);
      for (const { what, offset, length, byte } of all) {
        expected.fill(what === "write" ? byte : 0, offset, offset + length);
        if (what === "write") await writeAt(path, expected.subarray(offset, offset + length), offset);
        else await run("fallocate", [what, "--offset", String(offset), "--length", String(length), path]);
      }
      const seen = await readFile(path);
      await hypervisor.unplugDisk("proxy", diskId, signal);
      expect(expected.equals(seen)).toBe(true);
      expect(expected.equals(await viewDisk(lab, diskId))).toBe(true);
    },
  );
  await fc.assert(check, { numRuns: 8 });
});

async function writeAt(path: string, bytes: Buffer, offset: number): Promise<void> {
  const device = await open(path, "r+");
  await device.write(bytes, 0, bytes.length, offset);
  await device.sync();
  await device.close();
}

test("a disk restored through its device stays thin: holes punched and ranges zeroed take no space", async () => {
  const lab = await openTestHypervisor();
  const { hypervisor, directory } = lab;
  await addDisk(lab, "disk", { virtualBytes: 64 * MiB });
  const path = join(directory, "device");
  await hypervisor.startVm("proxy", []);
  await hypervisor.plugDisk("proxy", { diskId: "disk", device: { path, writable: true } });
  const bytes = Buffer.alloc(64 * MiB);
  const device = await open(path, "r+");
  for (const offset of [0, 32 * MiB]) {
    bytes.fill(7, offset, offset + 16 * MiB);
    await device.write(bytes, offset, 16 * MiB, offset);
  }
  await device.sync();
  const taken = (await hypervisor.diskInfo("disk")).actualBytes;
  await run("fallocate", ["--punch-hole", "--offset", "0", "--length", "16MiB", path]);
  await run("fallocate", ["--zero-range", "--offset", "16MiB", "--length", "16MiB", path]);
  await device.sync();
  await device.close();
  bytes.fill(0, 0, 16 * MiB);
  expect(bytes.equals(await readFile(path))).toBe(true);
  expect((await hypervisor.diskInfo("disk")).actualBytes).toBeLessThanOrEqual(taken - 16 * MiB);

  await hypervisor.unplugDisk("proxy", "disk", signal);
  expect(bytes.equals(await viewDisk(lab, "disk"))).toBe(true);
});

test("a QEMU that is killed from outside takes its devices along", async () => {
  const { hypervisor, plug, path, directory } = await openSite();
  await hypervisor.plugDisk("proxy", plug);
  const proxy = await readFile(join(directory, "storage", "run", "qemu2.pid"), "utf8");
  process.kill(Number(proxy), "SIGKILL");
  await expect.poll(() => stat(path).catch(systemErrorCode), { timeout: 20_000 }).toBe("ENOENT");
  expect(hypervisor.vmState("proxy")).toBe("down");
});

test("without FUSE machines start, and plugging a device says what is missing", async () => {
  const { hypervisor, plug, path, directory } = await openSite();
  const bin = join(directory, "bin");
  await mkdir(bin);
  for (const tool of ["qemu-img", "qemu-storage-daemon", "setpriv"]) await symlink(`/usr/bin/${tool}`, join(bin, tool));
  vi.stubEnv("PATH", bin);
  try {
    await expect(hypervisor.plugDisk("proxy", plug)).rejects.toMatchObject({
      message: expect.stringContaining("fusermount3"),
      hint: expect.stringContaining("fuse3"),
    });
    await hypervisor.stopVm("proxy", { graceful: true });
    await hypervisor.startVm("proxy", [plug]);
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await hypervisor.whyNoDevices()).toContain("fusermount3");
  } finally {
    vi.unstubAllEnvs();
  }
  expect(await hypervisor.whyNoDevices()).toBeUndefined();
});

test("devices that a killed lab has left are gone when its tree is opened again", async () => {
  const lab = await openTestHypervisor();
  await addDisk(lab, "disk");
  await lab.hypervisor.close();
  const [storage, path] = [join(lab.directory, "storage"), join(lab.directory, "device")];
  const module = new URL("../src/hypervisor/qemu-hypervisor.ts", import.meta.url).href;
  const script = `
    import { readFileSync, readdirSync } from "node:fs";
    const { QemuHypervisor } = await import(${JSON.stringify(module)});
    const hypervisor = await QemuHypervisor.open(${JSON.stringify(storage)});
    const device = { path: ${JSON.stringify(path)}, writable: true };
    await hypervisor.startVm("vm", [{ diskId: "disk", device }]);
    const run = ${JSON.stringify(join(storage, "run"))};
    for (const name of readdirSync(run)) if (name.endsWith(".pid")) process.kill(Number(readFileSync(run + "/" + name)), "SIGKILL");
    process.kill(process.pid, "SIGKILL");`;
  await expect(run(process.execPath, ["--input-type=module", "-e", script])).rejects.toMatchObject({
    signal: "SIGKILL",
  });

  const hypervisor = await QemuHypervisor.open(storage);
  await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  await hypervisor.startVm("vm", [{ diskId: "disk", device: { path, writable: true } }]);
  expect((await stat(path)).size).toBe(4 * MiB);
  await hypervisor.close();
});
