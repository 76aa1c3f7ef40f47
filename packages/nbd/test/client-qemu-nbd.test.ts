import { randomBytes } from "node:crypto";
import { readFile, truncate, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";

import { expect, test } from "vitest";
import { run } from "@ovault/test-support/commands";
import { scopedDirectory } from "@ovault/test-support/scoped-directory";

import { ALLOCATION, BASE_ALLOCATION, NbdClient, type NbdExtent } from "../src/index.ts";
import { makeCertificates } from "./certificates.ts";
import { qemuNbd } from "./qemu-nbd.ts";

const MiB = 2 ** 20;
const { signal } = new AbortController();

async function extentsOf(client: NbdClient, context: string): Promise<NbdExtent[]> {
  return Array.fromAsync(client.allocation(context, signal));
}

async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const bound = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return bound.port;
}

test("a raw file is read as it is, with many reads in flight and in any order", async () => {
  await using directory = await scopedDirectory();
  const [image, socket] = [join(directory.path, "disk.raw"), join(directory.path, "nbd.sock")];
  const content = randomBytes(9 * MiB + 512);
  await writeFile(image, content);
  await using _server = await qemuNbd(socket, "-r", "-f", "raw", "-k", socket, image);
  await using client = await NbdClient.connect({ address: { path: socket }, exportName: "", signal });
  expect(client).toMatchObject({ logicalBytes: content.length, readOnly: true, contexts: [] });

  const seen = Buffer.alloc(content.length);
  const pieceBytes = 100_001;
  const offsets = Array.from({ length: Math.ceil(content.length / pieceBytes) }, (_, index) => index * pieceBytes);
  await Promise.all(
    offsets.toReversed().map((offset) => client.readInto(offset, seen.subarray(offset, offset + pieceBytes), signal)),
  );
  expect(seen.equals(content)).toBe(true);
});

test("a read larger than the server's maximum arrives whole", async () => {
  await using directory = await scopedDirectory();
  const [image, socket] = [join(directory.path, "disk.raw"), join(directory.path, "nbd.sock")];
  const content = randomBytes(40 * MiB);
  await writeFile(image, content);
  await using _server = await qemuNbd(socket, "-r", "-f", "raw", "-k", socket, image);
  await using client = await NbdClient.connect({ address: { path: socket }, exportName: "", signal });
  expect(client.maxBlockBytes).toBeLessThan(content.length);
  const seen = Buffer.alloc(content.length);
  await client.readInto(0, seen, signal);
  expect(seen.equals(content)).toBe(true);
});

test("writes, zeroes and trims over TCP end up in a qcow2 image, and its allocation shows them", async () => {
  await using directory = await scopedDirectory();
  const [image, pidFile] = [join(directory.path, "disk.qcow2"), join(directory.path, "pid")];
  await run("qemu-img", ["create", "-f", "qcow2", image, "64M"]);
  const port = await freePort();
  const data = randomBytes(2 * MiB);
  {
    const listen = ["-b", "127.0.0.1", "-p", String(port), "-x", "disk", `--pid-file=${pidFile}`];
    await using _server = await qemuNbd(pidFile, "-f", "qcow2", "--discard=unmap", ...listen, image);
    await using client = await NbdClient.connect({
      address: { host: "127.0.0.1", port },
      exportName: "disk",
      contexts: [BASE_ALLOCATION],
      signal,
    });
    await client.write(8 * MiB, data, {}, signal);
    await client.write(32 * MiB, data, { fua: true }, signal);
    await client.writeZeroes(9 * MiB, MiB, { mayTrim: true }, signal);
    await client.trim(33 * MiB, MiB, signal);
    await client.flush(signal);
    const hole = ALLOCATION.hole | ALLOCATION.zero;
    expect(await extentsOf(client, BASE_ALLOCATION)).toEqual([
      { offset: 0, length: 8 * MiB, flags: hole },
      { offset: 8 * MiB, length: MiB, flags: 0 },
      { offset: 9 * MiB, length: 23 * MiB, flags: hole },
      { offset: 32 * MiB, length: MiB, flags: 0 },
      { offset: 33 * MiB, length: 31 * MiB, flags: hole },
    ]);
  }
  const raw = join(directory.path, "disk.raw");
  await run("qemu-img", ["convert", "-O", "raw", image, raw]);
  const expected = Buffer.alloc(64 * MiB);
  data.copy(expected, 8 * MiB, 0, MiB);
  data.copy(expected, 32 * MiB, 0, MiB);
  expect((await readFile(raw)).equals(expected)).toBe(true);
});

test("dirty bitmap and allocation depth of a chain come in one reply with the allocation", async () => {
  await using directory = await scopedDirectory();
  const socket = join(directory.path, "nbd.sock");
  const [base, top] = [join(directory.path, "base.qcow2"), join(directory.path, "top.qcow2")];
  await run("qemu-img", ["create", "-f", "qcow2", base, "16M"]);
  await run("qemu-io", ["-f", "qcow2", "-c", "write -P 1 0 1M", base]);
  await run("qemu-img", ["create", "-f", "qcow2", "-b", base, "-F", "qcow2", top]);
  await run("qemu-img", ["bitmap", "--add", "-g", "65536", top, "changes"]);
  await run("qemu-io", ["-f", "qcow2", "-c", "write -P 2 4M 1M", top]);
  // Only an inactive bitmap can be exported.
  await run("qemu-img", ["bitmap", "--disable", top, "changes"]);
  await using _server = await qemuNbd(socket, "-r", "-f", "qcow2", "-B", "changes", "-A", "-k", socket, top);
  const [dirty, depth] = ["qemu:dirty-bitmap:changes", "qemu:allocation-depth"] as const;
  await using client = await NbdClient.connect({
    address: { path: socket },
    exportName: "",
    contexts: [BASE_ALLOCATION, dirty, depth, "qemu:dirty-bitmap:no-such"],
    signal,
  });
  expect(client.contexts.toSorted()).toEqual([BASE_ALLOCATION, depth, dirty]);
  expect([...(await client.blockStatus(0, client.logicalBytes, signal)).keys()].toSorted()).toEqual([
    BASE_ALLOCATION,
    depth,
    dirty,
  ]);
  const flagged = async (context: string): Promise<(readonly [number, number, number])[]> =>
    (await extentsOf(client, context)).map(({ offset, length, flags }) => [offset / MiB, length / MiB, flags] as const);
  expect(await flagged(dirty)).toEqual([[0, 4, 0], [4, 1, 1], [5, 11, 0]]); // prettier-ignore
  expect(await flagged(depth)).toEqual([[0, 1, 2], [1, 3, 0], [4, 1, 1], [5, 11, 0]]); // prettier-ignore
});

test("the extents of an empty 6 TiB disk cover it", async () => {
  await using directory = await scopedDirectory();
  const [image, socket] = [join(directory.path, "disk.raw"), join(directory.path, "nbd.sock")];
  await writeFile(image, "");
  await truncate(image, 6 * 2 ** 40);
  await using _server = await qemuNbd(socket, "-r", "-f", "raw", "-k", socket, image);
  await using client = await NbdClient.connect({
    address: { path: socket },
    exportName: "",
    contexts: [BASE_ALLOCATION],
    signal,
  });
  const hole = ALLOCATION.hole | ALLOCATION.zero;
  expect(await extentsOf(client, BASE_ALLOCATION)).toEqual([{ offset: 0, length: 6 * 2 ** 40, flags: hole }]);
});

test("TLS with a certificate from a known CA carries data; without the CA, or without TLS, nothing is read", async () => {
  await using directory = await scopedDirectory();
  const { ca } = await makeCertificates(directory.path);
  const [image, socket] = [join(directory.path, "disk.raw"), join(directory.path, "nbd.sock")];
  const content = randomBytes(3 * MiB);
  await writeFile(image, content);
  const credentials = `tls-creds-x509,id=tls0,endpoint=server,verify-peer=no,dir=${directory.path}`;
  const secured = ["--object", credentials, "--tls-creds", "tls0"];
  await using _server = await qemuNbd(socket, "-r", "-f", "raw", ...secured, "-k", socket, image);
  const target = { address: { path: socket }, exportName: "", signal };

  await using client = await NbdClient.connect({ ...target, tls: { ca, servername: "localhost" } });
  const seen = Buffer.alloc(content.length);
  await client.readInto(0, seen, signal);
  expect(seen.equals(content)).toBe(true);

  const strangers = [{ ...target, tls: {} }, { ...target, tls: { ca, servername: "elsewhere.example" } }, target];
  for (const stranger of strangers) {
    await expect(NbdClient.connect(stranger)).rejects.toMatchObject({ code: "E_NBD_TLS" });
  }
});

test("an unknown export and a missing server are distinguished", async () => {
  await using directory = await scopedDirectory();
  const [image, socket] = [join(directory.path, "disk.raw"), join(directory.path, "nbd.sock")];
  await writeFile(image, Buffer.alloc(MiB));
  const nowhere = NbdClient.connect({ address: { path: socket }, exportName: "", signal });
  await expect(nowhere).rejects.toMatchObject({ code: "E_NBD_CONNECTION", retry: "transient" });
  await using _server = await qemuNbd(socket, "-f", "raw", "-x", "disk", "-k", socket, image);
  const misnamed = NbdClient.connect({ address: { path: socket }, exportName: "disc", signal });
  await expect(misnamed).rejects.toMatchObject({ code: "E_NBD_EXPORT_UNKNOWN", retry: "never" });
});

test("when the server dies, every request under way rejects as transient, and so does the next", async () => {
  await using directory = await scopedDirectory();
  const [image, socket] = [join(directory.path, "disk.raw"), join(directory.path, "nbd.sock")];
  await writeFile(image, Buffer.alloc(64 * MiB));
  const server = await qemuNbd(socket, "-r", "-f", "raw", "-k", socket, image);
  await using client = await NbdClient.connect({ address: { path: socket }, exportName: "", signal });
  const reads = Promise.allSettled(
    Array.from({ length: 64 }, (_, index) => client.readInto(index * MiB, Buffer.alloc(MiB), signal)),
  );
  await server[Symbol.asyncDispose]();
  const failures = (await reads).flatMap((read) => (read.status === "rejected" ? [read.reason] : []));
  const transient = { code: "E_NBD_CONNECTION", retry: "transient" };
  expect(failures).toMatchObject(failures.map(() => transient));
  await expect(client.readInto(0, Buffer.alloc(512), signal)).rejects.toMatchObject({ retry: "transient" });
});

test("what cannot succeed is refused without troubling the server", async () => {
  await using directory = await scopedDirectory();
  const [image, socket] = [join(directory.path, "disk.raw"), join(directory.path, "nbd.sock")];
  await writeFile(image, Buffer.alloc(MiB));
  await using _server = await qemuNbd(socket, "-r", "-f", "raw", "-k", socket, image);
  await using client = await NbdClient.connect({ address: { path: socket }, exportName: "", signal });
  const refused = { code: "E_NBD_REQUEST" };
  await expect(client.readInto(MiB - 1, Buffer.alloc(2), signal)).rejects.toMatchObject({
    ...refused,
    errno: "EINVAL",
  });
  await expect(client.readInto(-1, Buffer.alloc(1), signal)).rejects.toMatchObject({ ...refused, errno: "EINVAL" });
  await expect(client.write(0, Buffer.alloc(1), {}, signal)).rejects.toMatchObject({ ...refused, errno: "EPERM" });
  await expect(client.trim(0, 512, signal)).rejects.toMatchObject({ ...refused, errno: "ENOTSUP" });
  await expect(client.blockStatus(0, 512, signal)).rejects.toMatchObject({ ...refused, errno: "ENOTSUP" });
});
