import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import * as fc from "fast-check";
import ssh2 from "ssh2";
import { describe, expect, onTestFinished, test } from "vitest";

import { keysOf, listed } from "@ovault/testkit";
import { until } from "@ovault/test-support/until";

import { openStore } from "./support/open-store.ts";
import { type PlainServerOptions, type PlainSftpServer, startPlainServer } from "./support/plain-sftp-server.ts";
import { fileEntry } from "./support/plain-session.ts";

const { STATUS_CODE } = ssh2.utils.sftp;
const signal = new AbortController().signal;

async function serve(options: PlainServerOptions = {}): Promise<PlainSftpServer> {
  const server = await startPlainServer(options);
  onTestFinished(server.stop);
  return server;
}

describe.each([
  ["refuses to rename over something", false],
  ["renames over something", true],
])("a server with nothing but SFTP version 3 that %s", (_, renameReplaces) => {
  test("keeps objects, and says that it cannot promise one winner", async () => {
    const server = await serve({ renameReplaces });
    const store = await openStore(server.settings);
    expect(store.capabilities.conditionalPut).toBe(false);
    const body = Buffer.alloc(500_000, "plain ");
    const other = Buffer.from("other");
    expect(await store.put("packs/00/a", [body], { ifAbsent: true, signal })).toBe("stored");
    expect(await store.put("packs/00/a", [other], { ifAbsent: true, signal })).toBe("exists");
    expect(body.equals(await store.get("packs/00/a", { signal }))).toBe(true);
    expect(await store.put("packs/00/a", [other], { ifAbsent: false, signal })).toBe("stored");
    expect(await readFile(join(server.directory, "packs/00/a"), "utf8")).toBe("other");
    expect(await listed(store)).toEqual([{ key: "packs/00/a", bytes: 5 }]);
    await store.delete("packs/00/a", { signal });
    await expect(store.get("packs/00/a", { signal })).rejects.toMatchObject({ code: "E_OBJECT_NOT_FOUND" });
    expect(await keysOf(store)).toEqual([]);
    const drafts = join(server.directory, "~drafts");
    await until("no draft is left", async () => (await readdir(drafts)).length === 0);
  });
});

describe("a server may", () => {
  test("give as few bytes at a time as it likes", async () => {
    const body = Buffer.alloc(300_000, "short reads ");
    let sizes: Iterator<number> | undefined;
    const server = await serve({
      answer({ type, id, offset, length }, session) {
        const some = sizes?.next().value;
        if (type !== "READ" || some === undefined) return false;
        session.data(id, body.subarray(offset, offset + Math.min(length, some)));
        return true;
      },
    });
    const store = await openStore(server.settings);
    await store.put("a", [body], { ifAbsent: true, signal });
    await fc.assert(
      fc.asyncProperty(
        fc.infiniteStream(fc.integer({ min: 1, max: 40_000 })),
        fc.nat(body.length),
        async (stream, offset) => {
          sizes = stream;
          const found = await store.get("a", { range: { offset, length: body.length - offset }, signal });
          expect(body.subarray(offset).equals(found)).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("tell nothing but names when it lists", async () => {
    const names = ["a", "folder", "gone", "link"];
    const told = new Set<string>();
    const server = await serve({
      answer({ type, id, path }, session) {
        if (type !== "READDIR") return false;
        if (told.has(path)) session.status(id, STATUS_CODE.EOF);
        // An empty set of attributes.
        else
          session.name(
            id,
            names.map((name) => fileEntry(name, {})),
          );
        told.add(path);
        return true;
      },
    });
    await writeFile(join(server.directory, "a"), "four");
    await symlink("a", join(server.directory, "link"));
    await mkdir(join(server.directory, "folder"));
    await writeFile(join(server.directory, "folder", "a"), "");
    const store = await openStore(server.settings);
    expect(await listed(store)).toEqual([
      { key: "a", bytes: 4 },
      { key: "folder/a", bytes: 0 },
    ]);
  });
});
