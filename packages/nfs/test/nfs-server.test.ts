import { randomBytes } from "node:crypto";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { canMount, mountSmallDisk } from "@ovault/test-support/small-disk";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { NfsFileSystem } from "../src/index.ts";
import { createArgs, type Handle, NfsClient } from "@ovault/test-support/nfs-client";
import { callRecord, RpcClient } from "../src/client/rpc-client.ts";
import { ServedDirectory } from "./support/served-directory.ts";
import { XdrWriter } from "../src/xdr/xdr-writer.ts";

const [NOENT, EXIST, NOTDIR, INVAL, STALE, BADHANDLE, TOOSMALL, JUKEBOX] = [2, 17, 20, 22, 70, 10_001, 10_005, 10_008];
const NFS = 100_003;
const execute = promisify(execFile);
const mounts = await canMount();

let served: ServedDirectory;
beforeEach(async () => {
  served = await ServedDirectory.serve();
});
afterEach(() => served[Symbol.asyncDispose]());

function handle(answer: Handle | number): Handle {
  if (typeof answer === "number") throw new Error(`status ${answer}`);
  return answer;
}

describe("handles", () => {
  test("lead to the same files after a restart, and after something else has moved them", async () => {
    const { client, root, directory } = served;
    const folder = handle(await client.makeDirectory(root, "folder"));
    const file = handle(await client.create(folder, "file"));
    await client.write(file, 0n, Buffer.from("data"), 2);
    await served.restart();
    expect(String(await served.client.read(file, 0n, 10))).toBe("data");
    await rename(join(directory, "folder"), join(directory, "other"));
    await expect.poll(() => served.client.read(file, 0n, 10).then(String), { timeout: 3_000 }).toBe("data");
  });

  test("of a file that is gone are stale, and lead to no new file that has its number", async () => {
    const { client, root } = served;
    const gone = handle(await client.create(root, "one"));
    expect(await client.remove(root, "one")).toBe(0);
    expect(await client.status(gone)).toBe(STALE);
    expect(await client.read(gone, 0n, 10)).toBe(STALE);
    const present = handle(await client.create(root, "two"));
    const earlier = Buffer.from(present);
    // Of the generation.
    earlier.writeUInt8(earlier.readUInt8(23) ^ 1, 23);
    for (const isOpen of [false, true]) {
      if (isOpen) await client.write(present, 0n, Buffer.from("data"), 2);
      expect(await client.write(earlier, 0n, Buffer.from("lost"), 2)).toBe(STALE);
      expect(await client.read(earlier, 0n, 10)).toBe(STALE);
      expect(await client.commit(earlier)).toBe(STALE);
      expect(await client.truncate(earlier, 9n)).toBe(STALE);
      expect(await client.size(present)).toBe(isOpen ? 4n : 0n);
    }
    expect(String(await client.read(present, 0n, 10))).toBe("data");
  });

  test("of a file with several names lead to it for as long as one is left, whichever that is", async () => {
    const { client, root, directory } = served;
    const file = handle(await client.create(root, "first"));
    await client.write(file, 0n, Buffer.from("data"), 2);
    const names = ["first", "second", "third"];
    for (const name of names.slice(1)) expect(await client.link(file, root, name)).toBe(0);
    await served.restart();
    for (const name of ["third", "first"]) {
      handle(await served.client.lookup(served.root, name));
      expect(await served.client.remove(served.root, name)).toBe(0);
      expect(String(await served.client.read(file, 0n, 10))).toBe("data");
    }
    expect(await served.client.rename(served.root, "second", served.root, "last")).toBe(0);
    expect(await served.client.status(file)).toBe(0);
    expect(await readdir(directory)).toEqual(["last"]);
  });

  test("of files on file systems that are mounted below are not given away", async ({ skip }) => {
    skip(!mounts);
    const { client, root, directory } = served;
    await mkdir(join(directory, "mounted"));
    await execute("mount", ["-t", "tmpfs", "ovault-test", join(directory, "mounted")]);
    try {
      expect(await client.lookup(root, "mounted")).toBe(NOENT);
      expect((await client.list(root, 0n, 4096)).names.toSorted()).toEqual([".", ".."]);
    } finally {
      await execute("umount", [join(directory, "mounted")]);
    }
  });

  test("of other servers, and what is none, are refused", async () => {
    const other = Buffer.from(served.root);
    other.writeUInt32BE(7, 0);
    expect(await served.client.status(other)).toBe(STALE);
    expect(await served.client.status(Buffer.from("handle"))).toBe(BADHANDLE);
  });
});

describe("names", () => {
  test("that lead elsewhere are refused", async () => {
    const { client, root } = served;
    for (const name of ["a/b", "", "a\0b"]) expect(await client.lookup(root, name)).toBe(INVAL);
    for (const name of [".", "..", "a/b"]) expect(await client.create(root, name)).toBe(INVAL);
    expect(await client.remove(root, "..")).toBe(INVAL);
  });

  test("above the root lead to the root", async () => {
    const { client, root } = served;
    expect(handle(await client.lookup(root, ".."))).toEqual(Buffer.from(root));
  });

  test("of links are not followed, made here or by a client", async () => {
    const { client, root, directory } = served;
    await symlink("/etc", join(directory, "etc"));
    const etc = handle(await client.lookup(root, "etc"));
    expect(await client.lookup(etc, "passwd")).toBe(NOTDIR);
    const own = handle(await client.makeLink(root, "own", "/etc/passwd"));
    expect(await client.read(own, 0n, 10)).toBe(INVAL);
    // Not even where a directory was a moment ago.
    const folder = handle(await client.makeDirectory(root, "folder"));
    handle(await client.create(folder, "passwd"));
    expect(await client.rename(root, "folder", root, "moved")).toBe(0);
    await client.makeLink(root, "folder", "/etc");
    const passwd = handle(await client.lookup(folder, "passwd"));
    expect(await client.size(passwd)).toBe(0n);
  });

  test("are listed once each, however short the pages are and whatever comes and goes between them", async () => {
    const { client, root } = served;
    const stays = Array.from({ length: 60 }, (_, index) => `stays-${index}`);
    for (const name of stays) await client.create(root, name);
    for (let index = 0; index < 20; index++) await client.create(root, `goes-${index}`);
    const seen: string[] = [];
    let cookie: bigint | undefined = 0n;
    for (let page = 0; cookie !== undefined; page++) {
      const { names, next }: { names: string[]; next: bigint | undefined } = await client.list(root, cookie, 512);
      seen.push(...names);
      cookie = next;
      if (page < 20) await client.remove(root, `goes-${page}`);
      await client.create(root, `comes-${page}`);
    }
    expect(seen.filter((name) => name.startsWith("stays-")).toSorted()).toEqual(stays.toSorted());
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain("..");
    await expect(client.list(root, 0n, 100)).rejects.toThrow(`status ${TOOSMALL}`);
    const file = handle(await client.lookup(root, "stays-1"));
    await expect(client.list(file, 0n, 4096)).rejects.toThrow(`status ${NOTDIR}`);
  });

  test("hold 255 bytes, and links lead 1024 bytes far", async () => {
    const { client, root } = served;
    const name = "ö".repeat(127) + "x";
    handle(await client.create(root, name));
    expect((await client.list(root, 0n, 4096)).names).toContain(name);
    expect(await client.create(root, "x".repeat(256))).toBe(63);
    const target = "a/".repeat(512);
    const link = handle(await client.makeLink(root, "link", target));
    expect(await client.readLink(link)).toBe(target);
    expect(await client.readLink(root)).toBe(INVAL);
  });
});

describe("a call that is repeated", () => {
  test("is carried out once, also over another connection", async () => {
    const { client, root, port } = served;
    const xid = 77;
    const first = handle(await client.create(root, "file", xid));
    await using other = await NfsClient.connect(port);
    expect(handle(await other.create(root, "file", xid))).toEqual(first);
    expect(await client.create(root, "file")).toBe(EXIST);
    expect(await client.remove(root, "file", 78)).toBe(0);
    expect(await other.remove(root, "file", 78)).toBe(0);
    expect(await client.remove(root, "file")).toBe(NOENT);
  });

  test("with the number of another call is another call", async () => {
    const { client, root } = served;
    handle(await client.create(root, "one", 79));
    handle(await client.create(root, "two", 79));
    expect((await client.list(root, 0n, 4096)).names.toSorted()).toEqual([".", "..", "one", "two"]);
  });

  test("goes on with a file whose server was killed while it made it exclusively", async () => {
    const { client, root, directory } = served;
    await writeFile(join(directory, "file"), "", { mode: 0o1600 });
    await chmod(join(directory, "file"), 0o1600);
    const verifier = randomBytes(8);
    const made = handle(await client.createExclusively(root, "file", verifier));
    expect((await stat(join(directory, "file"))).mode & 0o7777).toBe(0o644);
    expect(handle(await client.createExclusively(root, "file", verifier))).toEqual(made);
    expect(await client.createExclusively(root, "file", randomBytes(8))).toBe(EXIST);
  });

  test("finds a file that it made exclusively, also after a restart; any other finds it taken", async () => {
    const verifier = randomBytes(8);
    const made = handle(await served.client.createExclusively(served.root, "file", verifier));
    await served.restart();
    expect(handle(await served.client.createExclusively(served.root, "file", verifier))).toEqual(made);
    expect(await served.client.createExclusively(served.root, "file", randomBytes(8))).toBe(EXIST);
  });
});

describe("data", () => {
  test("reads as it was written, at any place", async () => {
    const { client, root, directory } = served;
    const file = handle(await client.create(root, "file"));
    const model = Buffer.alloc(200_000);
    let end = 0;
    const step = fc.record({ offset: fc.nat(150_000), length: fc.nat(50_000), stable: fc.constantFrom(0, 1, 2) });
    await fc.assert(
      fc.asyncProperty(step, async ({ offset, length, stable }) => {
        const bytes = randomBytes(length);
        expect(await client.write(file, BigInt(offset), bytes, stable)).toBeInstanceOf(Buffer);
        bytes.copy(model, offset);
        if (length > 0) end = Math.max(end, offset + length);
        expect(await client.size(file)).toBe(BigInt(end));
        const from = Math.max(0, offset - 1000);
        const read = await client.read(file, BigInt(from), length + 2000);
        expect(
          Buffer.compare(Buffer.from(read as Buffer), model.subarray(from, Math.min(end, from + length + 2000))),
        ).toBe(0);
      }),
      { numRuns: 40 },
    );
    expect((await readFile(join(directory, "file"))).equals(model.subarray(0, end))).toBe(true);
  });

  test("takes only the space that it needs, and says so", async () => {
    const { client, root, directory } = served;
    const file = handle(await client.create(root, "file"));
    await client.write(file, 2n ** 40n, Buffer.from("end"), 2);
    const { blocks, size } = await stat(join(directory, "file"));
    const { results } = await client.call(1, new XdrWriter().opaque(file));
    results.fixed(20);
    expect(results.uint64()).toBe(BigInt(size));
    expect(results.uint64()).toBe(BigInt(blocks * 512));
  });

  test("of a file that is there stays, and so does its mode, when a client creates it anew", async () => {
    const { client, root, directory } = served;
    const file = handle(await client.create(root, "file"));
    await client.write(file, 0n, Buffer.from("data"), 2);
    await chmod(join(directory, "file"), 0o640);
    expect(handle(await client.createUnchecked(root, "file", { mode: 0o777 }))).toEqual(file);
    expect(String(await client.read(file, 0n, 10))).toBe("data");
    expect(handle(await client.createUnchecked(root, "file", { bytes: 2n }))).toEqual(file);
    expect(String(await client.read(file, 0n, 10))).toBe("da");
    expect((await stat(join(directory, "file"))).mode & 0o7777).toBe(0o640);
  });

  test("is changed only if it is as the client saw it, where the client asks for that", async () => {
    const { client, root } = served;
    const file = handle(await client.create(root, "file"));
    await client.write(file, 0n, Buffer.from("data"), 2);
    expect(await client.truncate(file, 1n, { seconds: 1, nanoseconds: 2 })).toBe(10_002);
    expect(await client.size(file)).toBe(4n);
    expect(await client.truncate(file, 1n)).toBe(0);
    expect(await client.size(file)).toBe(1n);
  });

  test("that finds no room is refused, and taken after room was made", async ({ skip }) => {
    skip(!mounts);
    const disk = await mountSmallDisk(4);
    const full = await ServedDirectory.serve(undefined, disk.directory);
    try {
      const { client, root } = full;
      handle(await client.create(root, "ballast"));
      await writeFile(join(disk.directory, "ballast"), randomBytes(2 ** 20));
      const file = handle(await client.create(root, "file"));
      let written = 0n;
      let status: Buffer | number = 0;
      for (; written < 8n; written++) {
        status = await client.write(file, written * 2n ** 20n, randomBytes(2 ** 20), 2);
        if (typeof status === "number") break;
      }
      expect(status).toBe(28);
      expect(await client.remove(root, "ballast")).toBe(0);
      expect(await client.write(file, 0n, randomBytes(2 ** 20), 2)).toBeInstanceOf(Buffer);
      expect(await client.commit(file)).toBeInstanceOf(Buffer);
    } finally {
      await full[Symbol.asyncDispose]();
      await disk.dispose();
    }
  });

  test("past the largest place is refused", async () => {
    const { client, root } = served;
    const file = handle(await client.create(root, "file"));
    expect(await client.write(file, 2n ** 63n, Buffer.from("x"))).toBe(27);
  });
});

describe("a server whose store fails", () => {
  let failure: Error | undefined;
  let syncs: number;

  async function failing<T>(work: () => Promise<T>): Promise<T> {
    if (failure !== undefined) throw failure;
    return await work();
  }

  beforeEach(async () => {
    failure = undefined;
    syncs = 0;
    await served[Symbol.asyncDispose]();
    served = await ServedDirectory.serve((files) => {
      const replaced: Partial<NfsFileSystem> = {
        read: (...call) => failing(() => files.read(...call)),
        sync: (...call) => {
          syncs += 1;
          return failing(() => files.sync(...call));
        },
      };
      return new Proxy(files, {
        get: (target, key) => {
          const value: unknown = Reflect.get(replaced, key) ?? Reflect.get(target, key);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    });
  });

  test("has clients try again, unless the error is one of the system", async () => {
    const { client, root } = served;
    const file = handle(await client.create(root, "file"));
    await client.write(file, 0n, Buffer.from("data"));
    failure = new Error("the destination does not answer");
    expect(await client.read(file, 0n, 4)).toBe(JUKEBOX);
    expect(served.errors).toContain(failure);
    failure = undefined;
    expect(String(await client.read(file, 0n, 4))).toBe("data");
  });

  test("has clients write again what was not durable when a sync failed", async () => {
    const { client, root } = served;
    const file = handle(await client.create(root, "file"));
    const before = await client.write(file, 0n, Buffer.from("data"));
    failure = Object.assign(new Error("full"), { code: "ENOSPC", syscall: "fdatasync" });
    expect(await client.commit(file)).toBe(28);
    failure = undefined;
    const after = await client.commit(file);
    expect(after).toBeInstanceOf(Buffer);
    expect(after).not.toEqual(before);
  });

  test("shares one sync among the writes that wait for it", async () => {
    const { client, root } = served;
    const file = handle(await client.create(root, "file"));
    await Promise.all(Array.from({ length: 50 }, (_, at) => client.write(file, BigInt(at), Buffer.from("x"), 2)));
    expect(syncs).toBeGreaterThan(0);
    expect(syncs).toBeLessThan(50);
    expect(await client.size(file)).toBe(50n);
  });
});

describe("a stranger", () => {
  test("whose address is not allowed is hung up on", async () => {
    await served.restart(["10.0.0.0/8", "::1", "127.0.0.2"]).catch(() => undefined);
    await expect(NfsClient.connect(served.port).then((client) => client.mount("/exports/web"))).rejects.toThrow(
      "the server hung up",
    );
    for (const entry of ["127.0.0.1/x", "127.0.0.1/", "10.0.0.0/8/8", "10.0.0.0/33", "host"]) {
      await expect(served.restart([entry])).rejects.toThrow(`${entry} is no address and no network`);
    }
  });

  test("who sends anything at all harms no other client", async () => {
    const { client, root, port } = served;
    const file = handle(await client.create(root, "file"));
    await client.write(file, 0n, Buffer.from("data"));
    const valid = callRecord({ xid: 1, program: NFS, version: 3, procedure: 8, args: createArgs(root, "other") });
    await fc.assert(
      fc.asyncProperty(fc.nat(valid.length - 1), fc.uint8Array({ minLength: 1, maxLength: 40 }), async (at, noise) => {
        await using rpc = await RpcClient.connect({ host: "127.0.0.1", port });
        rpc.send(Buffer.concat([valid.subarray(0, at), noise]));
        rpc.socket.end();
        expect(String(await client.read(file, 0n, 4))).toBe("data");
      }),
      { numRuns: 100 },
    );
  });

  test("who sends what is no call after many calls that wait is hung up on", async () => {
    const { client, root, port } = served;
    await using rpc = await RpcClient.connect({ host: "127.0.0.1", port });
    const closed = once(rpc.socket, "close");
    rpc.socket.cork();
    for (let xid = 1; xid <= 200; xid++) {
      const args = new XdrWriter().opaque(root);
      rpc.send(callRecord({ xid, program: NFS, version: 3, procedure: 1, args }));
    }
    rpc.send(Buffer.alloc(12, 1));
    rpc.socket.uncork();
    await closed;
    expect(await client.status(root)).toBe(0);
  });

  test("who asks for what there is not gets the answers of RPC", async () => {
    await using rpc = await RpcClient.connect({ host: "127.0.0.1", port: served.port });
    await expect(rpc.call(NFS, 3, 99)).rejects.toThrow("accept_stat 3");
    await expect(rpc.call(NFS, 4, 1)).rejects.toThrow("accept_stat 2");
    await expect(rpc.call(42, 1, 1)).rejects.toThrow("accept_stat 1");
    await expect(rpc.call(NFS, 3, 1)).rejects.toThrow("accept_stat 4");
    const denied = rpc.answer(500);
    rpc.send(callRecord({ xid: 500, program: NFS, version: 3, procedure: 1, args: new XdrWriter(), flavor: 6 }));
    const reply = await denied;
    expect([reply.uint32(), reply.uint32(), reply.uint32()]).toEqual([1, 1, 1]);
  });

  test("who reads no replies makes the server hold no more than a bounded number of them", async () => {
    const { client, root, port } = served;
    const file = handle(await client.create(root, "file"));
    for (let part = 0; part < 4; part++)
      await client.write(file, BigInt(part) * 2n ** 20n, Buffer.alloc(2 ** 20, part + 1));
    await using rpc = await RpcClient.connect({ host: "127.0.0.1", port });
    rpc.socket.pause();
    const before = process.memoryUsage().arrayBuffers;
    const args = (): XdrWriter =>
      new XdrWriter()
        .opaque(file)
        .uint64(0n)
        .uint32(2 ** 20);
    for (let xid = 1; xid <= 2000; xid++) {
      rpc.send(callRecord({ xid, program: NFS, version: 3, procedure: 6, args: args() }));
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150 * 2 ** 20);
    expect((await client.read(file, 0n, 4)) as Buffer).toEqual(Buffer.alloc(4, 1));
  });
});
