import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";
import { run } from "@ovault/test-support/commands";
import { scopedDirectory } from "@ovault/test-support/scoped-directory";

import { BASE_ALLOCATION, NbdClient, NbdServer, type NbdExport } from "../src/index.ts";
import { makeCertificates } from "./certificates.ts";
import { MemoryExport } from "./memory-export.ts";

const MiB = 2 ** 20;

function sparseContent(): Buffer {
  const content = Buffer.alloc(12 * MiB);
  randomBytes(3 * MiB).copy(content, 2 * MiB);
  randomBytes(MiB).copy(content, 11 * MiB);
  return content;
}

test("qemu-img sees, compares and converts what is served on a unix socket", async () => {
  await using directory = await scopedDirectory();
  const [path, raw] = [join(directory.path, "nbd.sock"), join(directory.path, "disk.raw")];
  const content = sparseContent();
  await writeFile(raw, content);
  await using _server = await NbdServer.listen({ path }, { exports: new Map([["disk", new MemoryExport(content)]]) });
  const uri = `nbd+unix:///disk?socket=${path}`;

  expect(JSON.parse(await run("qemu-img", ["info", "--output=json", uri]))).toMatchObject({
    "virtual-size": content.length,
  });
  expect(await run("qemu-img", ["compare", "-f", "raw", "-F", "raw", raw, uri])).toContain("identical");
  const copy = join(directory.path, "copy.qcow2");
  await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", uri, copy]);
  expect(await run("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", raw, copy])).toContain("identical");
});

test("qemu-img converts into an export over TCP", async () => {
  await using directory = await scopedDirectory();
  const raw = join(directory.path, "disk.raw");
  const content = sparseContent();
  await writeFile(raw, content);
  const target = new MemoryExport(randomBytes(content.length));
  await using server = await NbdServer.listen({ host: "127.0.0.1", port: 0 }, { exports: new Map([["", target]]) });
  const port = "port" in server.address ? server.address.port : 0;
  await run("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", raw, `nbd://127.0.0.1:${port}`]);
  expect(target.bytes.equals(content)).toBe(true);
  expect(target.flushes).toBeGreaterThan(0);
});

test("nbdinfo lists exports, sizes and the allocation map", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const exports = new Map<string, NbdExport>([
    ["disk", new MemoryExport(sparseContent())],
    ["other", new MemoryExport(Buffer.alloc(1000))],
  ]);
  await using _server = await NbdServer.listen({ path }, { exports });
  const listed: unknown = JSON.parse(await run("nbdinfo", ["--json", "--list", `nbd+unix:///?socket=${path}`]));
  expect(listed).toMatchObject({
    protocol: "newstyle-fixed",
    structured: true,
    exports: [
      { "export-name": "disk", "export-size": 12 * MiB, contexts: [BASE_ALLOCATION], can_trim: true, can_zero: true },
      { "export-name": "other", "export-size": 1000, is_read_only: false, can_multi_conn: true },
    ],
  });
  const map = JSON.parse(await run("nbdinfo", ["--json", "--map", `nbd+unix:///disk?socket=${path}`])) as {
    offset: number;
    length: number;
    type: number;
  }[];
  expect(map.map(({ offset, length, type }) => [offset / MiB, length / MiB, type])).toEqual([
    [0, 2, 3],
    [2, 3, 0],
    [5, 6, 3],
    [11, 1, 0],
  ]);
});

test("nbdcopy copies from one export to another with several connections", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const source = new MemoryExport(sparseContent());
  const target = new MemoryExport(randomBytes(source.logicalBytes));
  const exports = new Map([
    ["source", source],
    ["target", target],
  ]);
  await using _server = await NbdServer.listen({ path }, { exports });
  const uri = (name: string): string => `nbd+unix:///${name}?socket=${path}`;
  await run("nbdcopy", ["--connections=3", "--flush", uri("source"), uri("target")]);
  expect(target.bytes.equals(source.bytes)).toBe(true);
});

test("a context of our own is served beside base:allocation", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const { signal } = new AbortController();
  const memory = new MemoryExport(sparseContent());
  const exported: NbdExport = {
    logicalBytes: memory.logicalBytes,
    readOnly: true,
    contexts: [BASE_ALLOCATION, "x-test:thirds"],
    readInto: (offset, buffer) => memory.readInto(offset, buffer),
    blockStatus: async (context, offset, length) =>
      context === BASE_ALLOCATION
        ? memory.blockStatus(context, offset, length)
        : [{ length: 4 * MiB - (offset % (4 * MiB)), flags: Math.floor(offset / (4 * MiB)) }],
  };
  await using _server = await NbdServer.listen({ path }, { exports: new Map([["disk", exported]]) });
  expect(await run("nbdinfo", ["--map=x-test:thirds", `nbd+unix:///disk?socket=${path}`])).toMatch(
    /8388608\s+4194304\s+2/,
  );
  await using client = await NbdClient.connect({
    address: { path },
    exportName: "disk",
    contexts: ["x-test:thirds", BASE_ALLOCATION],
    signal,
  });
  expect(client).toMatchObject({ readOnly: true, features: { flush: false, trim: false, writeZeroes: false } });
  expect((await Array.fromAsync(client.allocation("x-test:thirds", signal))).map(({ flags }) => flags)).toEqual([
    0, 1, 2,
  ]);
});

test("with TLS, nbdinfo and our client get in with the CA, and no client without TLS", async () => {
  await using directory = await scopedDirectory();
  const { ca, cert, key } = await makeCertificates(directory.path);
  const { signal } = new AbortController();
  const content = sparseContent();
  const exports = new Map([["disk", new MemoryExport(content)]]);
  await using server = await NbdServer.listen({ host: "127.0.0.1", port: 0 }, { exports, tls: { cert, key } });
  const port = "port" in server.address ? server.address.port : 0;
  const uri = `nbds://localhost:${port}/disk?tls-certificates=${directory.path}&tls-verify-peer=false`;
  expect(await run("nbdinfo", ["--size", uri.replace("localhost", "127.0.0.1")])).toBe(`${content.length}\n`);

  const target = { address: { host: "127.0.0.1", port }, exportName: "disk", signal };
  await using client = await NbdClient.connect({ ...target, tls: { ca } });
  const seen = Buffer.alloc(content.length);
  await client.readInto(0, seen, signal);
  expect(seen.equals(content)).toBe(true);
  await expect(NbdClient.connect(target)).rejects.toMatchObject({ code: "E_NBD_TLS" });
  await expect(NbdClient.connect({ ...target, tls: {} })).rejects.toMatchObject({ code: "E_NBD_TLS" });
});
