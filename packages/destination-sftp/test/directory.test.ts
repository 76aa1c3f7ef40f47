import { readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { createSftpDestination, SftpStore } from "@ovault/destination-sftp";
import { keysOf } from "@ovault/testkit";
import { describeObjectFiles } from "@ovault/test-support/describe-object-files";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { until } from "@ovault/test-support/until";

import { openStore } from "./support/open-store.ts";
import { sftpSettings } from "./support/sftp-settings.ts";

const signal = new AbortController().signal;
const body = [Buffer.from("content")];
const server = await OpenSshServer.start();
afterAll(() => server.stop());

async function newStore(): Promise<{ directory: string; store: SftpStore }> {
  const directory = await server.newDirectory();
  return { directory, store: await openStore(await sftpSettings(server, directory)) };
}

describeObjectFiles(newStore);

describe("the directory of an SFTP destination", () => {
  test("files are for the owner alone, and an object is the file of its key", async () => {
    const { directory, store } = await newStore();
    await store.put("packs/ab/abcd", body, { ifAbsent: true, signal });
    await store.put("packs/ab/efgh", body, { ifAbsent: false, signal });
    const mode = async (path: string) => (await stat(join(directory, path))).mode & 0o777;
    expect(await mode("packs/ab/abcd")).toBe(0o600);
    expect(await mode("packs/ab/efgh")).toBe(0o600);
    expect(await mode("packs")).toBe(0o700);
    expect(await mode("packs/ab")).toBe(0o700);
    expect(await readdir(directory)).toEqual(["packs", "~drafts"]);
    // The draft goes after the answer.
    await until("the draft is gone", async () => (await readdir(join(directory, "~drafts"))).length === 0);
  });

  test("a missing directory is an error at open and is not made", async () => {
    const directory = await server.newDirectory();
    const open = async (path: string) => SftpStore.open(await sftpSettings(server, join(directory, path)), signal);
    const missing = { code: "E_DESTINATION_MISSING", hint: expect.stringContaining("mounted") };
    await expect(open("absent")).rejects.toMatchObject(missing);
    await expect(open("no/where")).rejects.toMatchObject(missing);
    expect(await readdir(directory)).toEqual([]);
    await writeFile(join(directory, "file"), "");
    await expect(open("file")).rejects.toMatchObject(missing);
    await expect(open("file/x")).rejects.toMatchObject(missing);
  });

  test("a new destination is made once, for the owner alone, and only in a directory that exists", async () => {
    const directory = await server.newDirectory();
    const create = async (path: string) =>
      createSftpDestination(await sftpSettings(server, join(directory, path)), signal);
    await create("made");
    await create("made");
    expect((await stat(join(directory, "made"))).mode & 0o777).toBe(0o700);
    await expect(create("no/where")).rejects.toMatchObject({ code: "E_DESTINATION_MISSING" });
    await writeFile(join(directory, "file"), "");
    await expect(create("file")).rejects.toMatchObject({ code: "E_DESTINATION_MISSING" });
  });

  test("it may be a link itself; below it links are never followed, wherever they stand", async () => {
    const [directory, elsewhere] = [await server.newDirectory(), await server.newDirectory()];
    const link = join(elsewhere, "link");
    await symlink(directory, link);
    const store = await openStore(await sftpSettings(server, link));
    await writeFile(join(elsewhere, "secret"), "secret");
    await symlink(elsewhere, join(directory, "packs"));
    await symlink(join(elsewhere, "secret"), join(directory, "point"));
    const refused = { code: "E_STORE" };
    await expect(store.get("packs/secret", { signal })).rejects.toMatchObject(refused);
    await expect(store.delete("packs/secret", { signal })).rejects.toMatchObject(refused);
    await expect(store.put("packs/new", body, { ifAbsent: true, signal })).rejects.toMatchObject(refused);
    await expect(store.put("packs/deep/new", body, { ifAbsent: true, signal })).rejects.toMatchObject(refused);
    await expect(keysOf(store, "packs/")).rejects.toMatchObject(refused);
    await expect(store.get("point", { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
    await expect(store.put("point", body, { ifAbsent: true, signal })).rejects.toMatchObject(refused);
    expect(await keysOf(store)).toEqual([]);
    expect((await readdir(elsewhere)).toSorted()).toEqual(["link", "secret"]);
  });

  test("that is only to be read is left as it is", async () => {
    const directory = await server.newDirectory();
    const store = await openStore(await sftpSettings(server, directory, { readOnly: true }));
    expect(await keysOf(store)).toEqual([]);
    expect(store.capabilities.conditionalPut).toBe(false);
    expect(await readdir(directory)).toEqual([]);
  });

  test.each(["packs", "~drafts"])("%s removed under a running store is made anew by the next try", async (folder) => {
    const { directory, store } = await newStore();
    await store.put("packs/ab/a", body, { ifAbsent: true, signal });
    await rm(join(directory, folder), { recursive: true });
    const put = () => store.put("packs/ab/b", body, { ifAbsent: true, signal });
    await expect(put()).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE", retry: "transient" });
    expect(await put()).toBe("stored");
  });

  test("drafts are left for a day and removed by the first open after it; nothing else in their folder is", async () => {
    const { directory } = await newStore();
    const drafts = join(directory, "~drafts");
    const yesterday = Date.now() / 1000 - 25 * 60 * 60;
    const [old, fresh] = ["0".repeat(36), "1".repeat(36)];
    for (const name of [old, fresh, "notes"]) await writeFile(join(drafts, name), "");
    for (const name of [old, "notes"]) await utimes(join(drafts, name), yesterday, yesterday);
    await openStore(await sftpSettings(server, directory));
    await until("the old draft is gone", async () => !(await readdir(drafts)).includes(old));
    expect((await readdir(drafts)).toSorted()).toEqual([fresh, "notes"]);
  });
});

describe("a session with an SSH server", () => {
  test("goes on while the server changes keys, which it may at any time", async () => {
    const hasty = await OpenSshServer.start({ config: ["RekeyLimit 1M"] });
    try {
      const store = await openStore(await sftpSettings(hasty, await hasty.newDirectory(), { connections: 1 }));
      const large = Buffer.alloc(12_000_000, "changing ");
      for (const key of ["a", "b"]) {
        await store.put(key, [large], { ifAbsent: true, signal });
        expect(large.equals(await store.get(key, { signal }))).toBe(true);
      }
      await store.close();
    } finally {
      await hasty.stop();
    }
  });

  test("can be closed twice, and a closed store tells so", async () => {
    const { store } = await newStore();
    await store.close();
    await store.close();
    await expect(store.stat("a", { signal })).rejects.toMatchObject({ code: "E_STORE", retry: "never" });
  });
});
