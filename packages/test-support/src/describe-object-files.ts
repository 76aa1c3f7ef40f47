import { mkdir, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import type { ObjectStore } from "@ovault/contract";
import { keysOf } from "@ovault/testkit";

const signal = new AbortController().signal;
const body = [Buffer.from("content")];

/** Tests how a store that keeps objects as files takes whatever else lies in its directory. */
export function describeObjectFiles(open: () => Promise<{ readonly directory: string; readonly store: ObjectStore }>) {
  describe("objects as files", () => {
    test("what is not an object is not listed", async () => {
      const { directory, store } = await open();
      await store.put("points/a", body, { ifAbsent: true, signal });
      await mkdir(join(directory, "lost+found"));
      await mkdir(join(directory, ".snapshot/points"), { recursive: true });
      await writeFile(join(directory, ".snapshot/points/a"), "");
      await writeFile(join(directory, "points/.nfs000012"), "");
      await writeFile(join(directory, "~drafts/abc"), "");
      await mkdir(join(directory, "empty"));
      expect(await keysOf(store)).toEqual(["points/a"]);
    });

    test("a directory in place of an object is not an object, and is not taken for one", async () => {
      const { directory, store } = await open();
      await mkdir(join(directory, "a"));
      await expect(store.get("a", { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
      await expect(store.stat("a", { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
      await store.delete("a", { signal });
      await expect(store.put("a", body, { ifAbsent: true, signal })).rejects.toMatchObject({ code: "E_STORE" });
      await expect(store.put("a", body, { ifAbsent: false, signal })).rejects.toMatchObject({ code: "E_STORE" });
      await writeFile(join(directory, "b"), "");
      await expect(store.put("b/c", body, { ifAbsent: true, signal })).rejects.toMatchObject({ code: "E_STORE" });
      expect(await readdir(directory)).toEqual(["a", "b", "~drafts"]);
    });

    test("a file that was cut is an integrity error for every range it lost", async () => {
      const { directory, store } = await open();
      await store.put("a", body, { ifAbsent: true, signal });
      await truncate(join(directory, "a"), 3);
      const cut = store.get("a", { range: { offset: 2, length: 2 }, signal });
      await expect(cut).rejects.toMatchObject({ code: "E_INTEGRITY" });
    });

    test("a file that is larger than any object is an integrity error, and is not read", async () => {
      const { directory, store } = await open();
      await store.put("a", body, { ifAbsent: true, signal });
      await truncate(join(directory, "a"), 2 ** 40);
      await expect(store.get("a", { signal })).rejects.toMatchObject({ code: "E_INTEGRITY" });
      expect(Buffer.from(await store.get("a", { range: { offset: 0, length: 7 }, signal })).toString()).toBe("content");
    });
  });
}
