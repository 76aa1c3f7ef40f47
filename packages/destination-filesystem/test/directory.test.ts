import { execFileSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, onTestFinished, test } from "vitest";

import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { describeObjectFiles } from "@ovault/test-support/describe-object-files";
import { keysOf } from "@ovault/testkit";

import { openTemporaryStore, type TemporaryStore } from "./support/temporary-store.ts";

const signal = new AbortController().signal;
const body = [Buffer.from("content")];
const NOBODY = 65534;

async function temporaryStore(): Promise<TemporaryStore> {
  const opened = await openTemporaryStore();
  onTestFinished(opened.dispose);
  return opened;
}

describeObjectFiles(temporaryStore);

describe("the directory of a filesystem destination", () => {
  test("files are for the owner alone, and an object is the file of its key", async () => {
    const { directory, store } = await temporaryStore();
    await store.put("packs/ab/abcd", body, { ifAbsent: true, signal });
    await store.put("packs/ab/efgh", body, { ifAbsent: false, signal });
    const mode = async (path: string) => (await stat(join(directory, path))).mode & 0o777;
    expect(await mode("packs/ab/abcd")).toBe(0o600);
    expect(await mode("packs/ab/efgh")).toBe(0o600);
    expect(await mode("packs")).toBe(0o700);
    expect(await mode("packs/ab")).toBe(0o700);
    expect(await readdir(directory)).toEqual(["packs", "~drafts"]);
    expect(await readdir(join(directory, "~drafts"))).toEqual([]);
  });

  test("a named pipe in place of an object is absent, and holds nothing up", async () => {
    const { directory, store } = await temporaryStore();
    await store.put("packs/ab/abcd", body, { ifAbsent: true, signal });
    const file = join(directory, "packs/ab/abcd");
    await rm(file);
    execFileSync("mkfifo", [file]);
    const absent = { code: "E_OBJECT_NOT_FOUND" };
    await expect(store.get("packs/ab/abcd", { signal })).rejects.toMatchObject(absent);
    await expect(store.stat("packs/ab/abcd", { signal })).rejects.toMatchObject(absent);
    expect(await keysOf(store)).toEqual([]);
  });

  test("a missing directory is an error at open and is not made", async () => {
    const { directory } = await temporaryStore();
    const absent = join(directory, "absent");
    const open = FilesystemStore.open(absent);
    await expect(open).rejects.toMatchObject({
      code: "E_DESTINATION_MISSING",
      hint: expect.stringContaining("mounted"),
    });
    expect(await readdir(directory)).toEqual([]);
    await writeFile(absent, "");
    await expect(FilesystemStore.open(absent)).rejects.toMatchObject({ code: "E_DESTINATION_MISSING" });
    await expect(FilesystemStore.open(join(absent, "x"))).rejects.toMatchObject({ code: "E_DESTINATION_MISSING" });
  });

  test("a new destination is made once, for the owner alone, and only in a directory that exists", async () => {
    const { directory } = await temporaryStore();
    const made = join(directory, "made");
    await createFilesystemDestination(made);
    await createFilesystemDestination(made);
    expect((await stat(made)).mode & 0o777).toBe(0o700);
    const nowhere = createFilesystemDestination(join(directory, "no", "where"));
    await expect(nowhere).rejects.toMatchObject({ code: "E_DESTINATION_MISSING" });
    await writeFile(join(directory, "file"), "");
    const inTheWay = createFilesystemDestination(join(directory, "file"));
    await expect(inTheWay).rejects.toMatchObject({ code: "E_DESTINATION_MISSING" });
  });

  test("links are never followed, wherever they stand", async () => {
    const { directory, store } = await temporaryStore();
    const { directory: elsewhere } = await temporaryStore();
    await writeFile(join(elsewhere, "secret"), "secret");
    await symlink(elsewhere, join(directory, "packs"));
    await symlink(join(elsewhere, "secret"), join(directory, "point"));
    const refused = { code: "E_STORE" };
    await expect(store.get("packs/secret", { signal })).rejects.toMatchObject(refused);
    await expect(store.delete("packs/secret", { signal })).rejects.toMatchObject(refused);
    await expect(store.put("packs/new", body, { ifAbsent: true, signal })).rejects.toMatchObject(refused);
    await expect(store.put("packs/deep/new", body, { ifAbsent: true, signal })).rejects.toMatchObject(refused);
    await expect(keysOf(store, "packs/")).rejects.toMatchObject(refused);
    await expect(store.get("point", { signal })).rejects.toMatchObject(refused);
    await expect(store.put("point", body, { ifAbsent: true, signal })).rejects.toMatchObject(refused);
    expect(await keysOf(store)).toEqual([]);
    expect(await readdir(elsewhere)).toEqual(["secret"]);
  });

  test("a directory removed under a running store is made anew by the next try", async () => {
    const { directory, store } = await temporaryStore();
    await store.put("packs/ab/a", body, { ifAbsent: true, signal });
    await rm(join(directory, "packs"), { recursive: true });
    const put = () => store.put("packs/ab/b", body, { ifAbsent: true, signal });
    await expect(put()).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE", retry: "transient" });
    expect(await put()).toBe("stored");
  });

  test("drafts of other machines are left for a day and removed by the first open after it", async () => {
    const { directory } = await temporaryStore();
    const drafts = join(directory, "~drafts");
    await mkdir(drafts);
    const yesterday = Date.now() / 1000 - 25 * 60 * 60;
    for (const name of ["foreign-fresh", "foreign-old"]) await writeFile(join(drafts, name), "");
    await utimes(join(drafts, "foreign-old"), yesterday, yesterday);
    await FilesystemStore.open(directory);
    expect(await readdir(drafts)).toEqual(["foreign-fresh"]);
  });

  test.skipIf(process.getuid?.() !== 0)("a directory of another user is a permission error", async () => {
    const { directory } = await temporaryStore();
    await chown(directory, NOBODY, NOBODY);
    await chmod(directory, 0o500);
    const put = async () => (await FilesystemStore.open(directory)).put("a", body, { ifAbsent: true, signal });
    process.seteuid?.(NOBODY);
    try {
      await expect(put()).rejects.toMatchObject({ code: "E_STORE_PERMISSION", hint: expect.stringContaining("uid") });
      await chmod(directory, 0o000);
      await expect(put()).rejects.toMatchObject({ code: "E_STORE_PERMISSION" });
      await chmod(directory, 0o700);
      expect(await put()).toBe("stored");
    } finally {
      process.seteuid?.(0);
    }
  });
});
