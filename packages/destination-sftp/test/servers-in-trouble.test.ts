import { chmod, readdir } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, describe, expect, onTestFinished, test } from "vitest";

import { createSftpDestination, SftpStore } from "@ovault/destination-sftp";
import { keysOf, listed } from "@ovault/testkit";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { canMount, mountSmallDisk, type SmallDisk } from "@ovault/test-support/small-disk";
import { canHaveOtherUsers } from "@ovault/test-support/throw-away-user";
import { until } from "@ovault/test-support/until";

import { openStore } from "./support/open-store.ts";
import { startPlainServer } from "./support/plain-sftp-server.ts";
import { sftpSettings } from "./support/sftp-settings.ts";

const signal = new AbortController().signal;
const mebibyte = Buffer.alloc(1024 * 1024, 7);
const [disks, otherUsers] = [await canMount(), await canHaveOtherUsers()];
const server = await OpenSshServer.start();
afterAll(() => server.stop());

async function smallDisk(): Promise<{ disk: SmallDisk; store: SftpStore }> {
  const disk = await mountSmallDisk(8);
  onTestFinished(async () => {
    await unmount(disk);
    await disk.dispose();
  });
  return { disk, store: await openStore(await sftpSettings(server, disk.directory)) };
}

/** Once the server has closed its files, which it does after it has answered. */
async function unmount(disk: SmallDisk): Promise<void> {
  await until("nothing is open on the disk", () => succeeds(disk.unmount()));
}

async function succeeds(attempt: Promise<void>): Promise<boolean> {
  return await attempt.then(
    () => true,
    () => false,
  );
}

describe.skipIf(!disks)("a disk in trouble, on the server", () => {
  test("a full disk is an error that tells the free bytes, and leaves whole objects only", async () => {
    const { disk, store } = await smallDisk();
    const put = (i: number) => store.put(`packs/${i}`, [mebibyte, mebibyte, mebibyte], { ifAbsent: true, signal });
    await put(0);
    await put(1);
    await expect(put(2)).rejects.toMatchObject({
      code: "E_STORE_FULL",
      retry: "never",
      context: { freeBytes: expect.any(Number), status: 4 },
      hint: expect.stringContaining("Free space"),
    });
    expect((await listed(store)).map((info) => info.bytes)).toEqual([3 * mebibyte.length, 3 * mebibyte.length]);
    await store.delete("packs/0", { signal });
    expect(await put(2)).toBe("stored");
    // The draft goes after the answer.
    await until("no draft is left", async () => (await readdir(join(disk.directory, "~drafts"))).length === 0);
  });

  test("a read-only mount refuses writes with its own code, and can be opened and read", async () => {
    const { disk, store } = await smallDisk();
    await store.put("points/a", [mebibyte], { ifAbsent: true, signal });
    await until("nothing is written to the disk", () => succeeds(disk.remountReadOnly()));
    const readOnly = { code: "E_STORE_READ_ONLY" };
    for (const ifAbsent of [true, false]) {
      await expect(store.put("points/b", [mebibyte], { ifAbsent, signal })).rejects.toMatchObject(readOnly);
    }
    await expect(store.delete("points/a", { signal })).rejects.toMatchObject(readOnly);
    const reader = await openStore(await sftpSettings(server, disk.directory));
    expect(mebibyte.equals(await reader.get("points/a", { signal }))).toBe(true);
    expect(await keysOf(reader)).toEqual(["points/a"]);
    await expect(reader.put("packs/new", [], { ifAbsent: true, signal })).rejects.toMatchObject(readOnly);
  });

  test("an unmounted disk is missing, never empty, and nothing is written into its mount point", async () => {
    const { disk, store } = await smallDisk();
    await store.put("points/a", [mebibyte], { ifAbsent: true, signal });
    await unmount(disk);
    const missing = { code: "E_DESTINATION_MISSING", hint: expect.stringContaining("mounted") };
    await expect(store.get("points/a", { signal })).rejects.toMatchObject(missing);
    await expect(store.stat("points/a", { signal })).rejects.toMatchObject(missing);
    await expect(store.delete("points/a", { signal })).rejects.toMatchObject(missing);
    await expect(listed(store)).rejects.toMatchObject(missing);
    for (const key of ["points/b", "packs/00/a"]) {
      await expect(store.put(key, [mebibyte], { ifAbsent: true, signal })).rejects.toMatchObject(missing);
    }
    expect(await readdir(disk.directory)).toEqual([]);
  });
});

describe("a server that refuses", () => {
  test.skipIf(!otherUsers)("writing in a directory of another user is a permission error", async () => {
    const strict = await OpenSshServer.start({ otherUser: true });
    onTestFinished(() => strict.stop());
    const directory = await strict.newDirectory();
    const settings = await sftpSettings(strict, directory);
    const writer = await openStore(settings);
    await writer.put("points/a", [mebibyte], { ifAbsent: true, signal });
    const denied = { code: "E_STORE_PERMISSION", retry: "never", hint: expect.stringContaining("own") };
    await chmod(directory, 0o500);
    await expect(writer.put("packs/b", [], { ifAbsent: true, signal })).rejects.toMatchObject(denied);
    await expect(createSftpDestination({ ...settings, directory: `${directory}/new` }, signal)).rejects.toMatchObject(
      denied,
    );
    await chmod(directory, 0o000);
    await expect(writer.get("points/a", { signal })).rejects.toMatchObject(denied);
    await expect(keysOf(await openStore(settings))).rejects.toMatchObject(denied);
    await chmod(directory, 0o700);
    expect(await keysOf(writer)).toEqual(["points/a"]);
  });

  test("to write at all can still be read, and promises no winners", async () => {
    const directory = await server.newDirectory();
    const writer = await openStore(await sftpSettings(server, directory));
    await writer.put("points/a", [mebibyte], { ifAbsent: true, signal });
    const readOnly = await OpenSshServer.start({ sftp: "internal-sftp -R" });
    onTestFinished(() => readOnly.stop());
    const reader = await openStore(await sftpSettings(readOnly, directory));
    expect(reader.capabilities.conditionalPut).toBe(false);
    expect(mebibyte.equals(await reader.get("points/a", { signal }))).toBe(true);
    await expect(reader.put("points/b", [], { ifAbsent: true, signal })).rejects.toMatchObject({
      code: "E_STORE_PERMISSION",
    });
    const empty = await openStore(await sftpSettings(readOnly, await server.newDirectory()));
    expect(await keysOf(empty)).toEqual([]);
  });

  test("SFTP is an error that names the setting", async () => {
    const plain = await startPlainServer({ subsystem: "refused" });
    onTestFinished(plain.stop);
    await expect(SftpStore.open(plain.settings, signal)).rejects.toMatchObject({
      code: "E_STORE",
      hint: expect.stringContaining("Subsystem sftp"),
    });
  });

  test("connections, or an unknown name, may be tried again", async () => {
    const settings = await sftpSettings(server, await server.newDirectory());
    const transient = { code: "E_STORE_UNAVAILABLE", retry: "transient", hint: expect.stringContaining("ssh -p") };
    await expect(SftpStore.open({ ...settings, port: 1 }, signal)).rejects.toMatchObject(transient);
    await expect(SftpStore.open({ ...settings, host: "nobody.invalid" }, signal)).rejects.toMatchObject(transient);
  });

  test("all algorithms that are still safe is an error that may not be repeated", async () => {
    const old = await OpenSshServer.start({ config: ["KexAlgorithms diffie-hellman-group1-sha1"] });
    onTestFinished(() => old.stop());
    const open = SftpStore.open(await sftpSettings(old, await old.newDirectory()), signal);
    await expect(open).rejects.toMatchObject({
      code: "E_STORE",
      retry: "never",
      hint: expect.stringContaining("too old"),
    });
  });

  test("an attempt to connect is ended by an abort, and leaves no connection", async () => {
    const reason = new Error("enough");
    const settings = await sftpSettings(server, await server.newDirectory());
    await expect(SftpStore.open(settings, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const open = SftpStore.open(settings, controller.signal);
    controller.abort(reason);
    await expect(open).rejects.toBe(reason);
  });
});
