import { randomBytes } from "node:crypto";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { NbdServer, type NbdExport } from "@ovault/nbd";
import { expect, test } from "vitest";

import type { DiskSource } from "@ovault/contract";
import { scopedDirectory } from "@ovault/test-support/scoped-directory";
import { NbdSource, RawFileSource } from "../src/index.ts";

const MiB = 2 ** 20;
const { signal } = new AbortController();

async function contentOf(source: DiskSource): Promise<Buffer> {
  const content = Buffer.alloc(source.disk.logicalBytes);
  const reads: Promise<void>[] = [];
  for await (const { offset, length, kind } of source.extents(signal)) {
    if (kind !== "data") continue;
    for (let at = offset; at < offset + length; at += MiB) {
      reads.push(source.readInto(at, content.subarray(at, Math.min(at + MiB, offset + length)), signal));
    }
  }
  await Promise.all(reads);
  return content;
}

/** Serves a buffer, and tells which connections are used and how much is read. */
class Served implements NbdExport {
  readonly readOnly = true;
  readonly logicalBytes: number;
  readonly #content: Buffer;
  readBytes = 0;

  constructor(content: Buffer) {
    this.logicalBytes = content.length;
    this.#content = content;
  }

  async readInto(offset: number, buffer: Uint8Array): Promise<void> {
    this.readBytes += buffer.length;
    this.#content.copy(buffer, 0, offset, offset + buffer.length);
  }

  async blockStatus(_context: string, offset: number): Promise<{ length: number; flags: number }[]> {
    const end = Math.min(this.logicalBytes, (Math.floor(offset / MiB) + 1) * MiB);
    const zero = this.#content.subarray(offset, end).every((byte) => byte === 0);
    return [{ length: end - offset, flags: zero ? 3 : 0 }];
  }
}

test("a raw file of any size is one extent, read as it is", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "disk.raw");
  const content = randomBytes(3 * MiB + 7);
  await writeFile(path, content);
  const source = await RawFileSource.open(path);
  expect(source.disk).toMatchObject({ id: "disk.raw", logicalBytes: content.length });
  expect((await contentOf(source)).equals(content)).toBe(true);
  await source.close();
});

test("a raw file that became shorter is an error, never short data", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "disk.raw");
  await writeFile(path, randomBytes(MiB));
  const source = await RawFileSource.open(path);
  await truncate(path, 1000);
  await expect(source.readInto(0, Buffer.alloc(4096), signal)).rejects.toMatchObject({ code: "E_SOURCE" });
  await source.close();
});

test("a missing raw file is named", async () => {
  await expect(RawFileSource.open("/no/such/disk.raw")).rejects.toMatchObject({
    code: "E_IMAGE_FILE",
    message: expect.stringContaining("/no/such/disk.raw"),
  });
});

test("an NBD export is read over several connections, its zero ranges not at all", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const content = Buffer.alloc(9 * MiB + 512);
  randomBytes(2 * MiB).copy(content, 3 * MiB);
  randomBytes(512).copy(content, 9 * MiB);
  const served = new Served(content);
  await using server = await NbdServer.listen({ path }, { exports: new Map([["disk", served]]) });
  const source = await NbdSource.open({ address: { path }, exportName: "disk", signal });
  expect(server.connections).toBeGreaterThan(1);
  expect(await Array.fromAsync(source.extents(signal))).toEqual([
    { offset: 0, length: 3 * MiB, kind: "zero" },
    { offset: 3 * MiB, length: 2 * MiB, kind: "data" },
    { offset: 5 * MiB, length: 4 * MiB, kind: "zero" },
    { offset: 9 * MiB, length: 512, kind: "data" },
  ]);
  expect((await contentOf(source)).equals(content)).toBe(true);
  expect(served.readBytes).toBe(2 * MiB + 512);
  await source.close();
});
