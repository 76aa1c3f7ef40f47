import { execFile } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { open, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import type { PlugDisk } from "../src/hypervisor/hypervisor.ts";
import { QemuHypervisor } from "../src/hypervisor/qemu-hypervisor.ts";
import { MiB, addDisk, openTestHypervisor, signal, viewDisk, type TestHypervisor } from "./support/test-hypervisor.ts";

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
  const device = await open(path, "r+");
  await device.write(Buffer.alloc(MiB, 9), 0, MiB, 0);
  await device.sync();
  await device.close();
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
