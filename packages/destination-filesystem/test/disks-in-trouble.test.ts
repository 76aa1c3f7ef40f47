import { readdir } from "node:fs/promises";

import { describe, expect, onTestFinished, test } from "vitest";

import { FilesystemStore } from "@ovault/destination-filesystem";
import { keysOf, listed } from "@ovault/testkit";
import { canMount, mountSmallDisk, type SmallDisk } from "@ovault/test-support/small-disk";

const signal = new AbortController().signal;
const mebibyte = Buffer.alloc(1024 * 1024, 7);

async function smallDisk(): Promise<{ disk: SmallDisk; store: FilesystemStore }> {
  const disk = await mountSmallDisk(8);
  onTestFinished(() => disk.dispose());
  return { disk, store: await FilesystemStore.open(disk.directory) };
}

describe.skipIf(!(await canMount()))("a disk in trouble", () => {
  test("a full disk is an error that tells the free bytes, and leaves whole objects only", async () => {
    const { disk, store } = await smallDisk();
    const put = (i: number) => store.put(`packs/${i}`, [mebibyte, mebibyte, mebibyte], { ifAbsent: true, signal });
    await put(0);
    await put(1);
    await expect(put(2)).rejects.toMatchObject({
      code: "E_STORE_FULL",
      retry: "never",
      context: { freeBytes: expect.any(Number), errno: "ENOSPC" },
      hint: expect.stringContaining("Free space"),
    });
    expect((await listed(store)).map((info) => info.bytes)).toEqual([3 * mebibyte.length, 3 * mebibyte.length]);
    expect(await readdir(`${disk.directory}/~drafts`)).toEqual([]);
    await store.delete("packs/0", { signal });
    expect(await put(2)).toBe("stored");
  });

  test("a read-only mount refuses writes with its own code, and can be opened and read", async () => {
    const { disk, store } = await smallDisk();
    await store.put("points/a", [mebibyte], { ifAbsent: true, signal });
    await disk.remountReadOnly();
    const put = store.put("points/b", [mebibyte], { ifAbsent: true, signal });
    await expect(put).rejects.toMatchObject({ code: "E_STORE_READ_ONLY" });
    await expect(store.delete("points/a", { signal })).rejects.toMatchObject({ code: "E_STORE_READ_ONLY" });
    const reader = await FilesystemStore.open(disk.directory);
    expect(mebibyte.equals(await reader.get("points/a", { signal }))).toBe(true);
    expect(await keysOf(reader)).toEqual(["points/a"]);
  });

  test("an unmounted share is missing, never empty, and nothing is written into its mount point", async () => {
    const { disk, store } = await smallDisk();
    await store.put("points/a", [mebibyte], { ifAbsent: true, signal });
    await disk.unmount();
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
