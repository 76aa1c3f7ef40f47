import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { hasCode, Semaphore } from "@ovault/contract";
import { issueCertificate, type ServerCertificate } from "@ovault/test-support/certificates";
import * as fc from "fast-check";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { ImageioClient, type ImageioOptions } from "../src/imageio/imageio-client.ts";
import { collect } from "./support/collect.ts";
import { ImageioServer } from "./support/imageio-server.ts";

const SIZE = 1024 * 1024;
const signal = new AbortController().signal;

let certificate: ServerCertificate;
let server: ImageioServer;
let clients: ImageioClient[];

beforeAll(async () => {
  certificate = await issueCertificate("IP:127.0.0.1,DNS:localhost");
});
beforeEach(async () => {
  clients = [];
  server = await ImageioServer.start(certificate);
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await server.stop();
});

async function open(ticket: string, options: Partial<ImageioOptions> = {}): Promise<ImageioClient> {
  const client = await ImageioClient.open({
    transferUrl: server.url(ticket),
    ca: [certificate.ca],
    logicalBytes: server.tickets.get(ticket)?.image.length ?? SIZE,
    inactivityTimeoutMs: 60_000,
    signal,
    ...options,
  });
  clients.push(client);
  return client;
}

async function read(client: ImageioClient, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await client.readInto(offset, buffer, signal);
  return buffer;
}

test("any cut of the disk reads back as the disk, over connections that break now and then", async () => {
  const image = randomBytes(SIZE);
  server.add("t", { image });
  const client = await open("t");
  const range = fc
    .tuple(fc.nat(SIZE - 1), fc.nat(SIZE))
    .map(([offset, n]) => ({ offset, length: Math.min(n, SIZE - offset) }));
  const trap = fc.option(fc.constantFrom("cut" as const, "close" as const), { freq: 3, nil: undefined });
  await fc.assert(
    fc.asyncProperty(fc.array(range, { maxLength: 12 }), trap, async (ranges, next) => {
      server.traps.splice(0);
      if (next !== undefined) server.traps.push({ method: "GET", trap: next });
      const parts = await Promise.all(ranges.map(({ offset, length }) => read(client, offset, length)));
      for (const [index, { offset, length }] of ranges.entries()) {
        expect(parts[index]?.equals(image.subarray(offset, offset + length))).toBe(true);
      }
    }),
    { numRuns: 40 },
  );
});

test("a body that is cut twice is an error where nothing is waited for, never a short read", async () => {
  server.add("t", { image: randomBytes(SIZE) });
  const client = await open("t", { patienceMs: 0 });
  server.traps.push({ method: "GET", trap: "cut" }, { method: "GET", trap: "cut" });
  await expect(read(client, 0, SIZE)).rejects.toMatchObject({ code: "E_IMAGEIO_CONNECTION", retry: "transient" });
});

/** A daemon or a switch restarts. */
async function gone(forMs: number): Promise<void> {
  const port = server.port;
  const { tickets } = server;
  await server.stop();
  await sleep(forMs);
  server = await ImageioServer.start(certificate, port);
  for (const [id, ticket] of tickets) server.tickets.set(id, ticket);
}

test("a host that is gone for a while costs time, and its readers hear of it once", async () => {
  const image = randomBytes(SIZE);
  server.add("t", { image });
  const told: string[] = [];
  const client = await open("t", { onWait: (what) => void told.push(what) });
  await read(client, 0, 8);
  const back = gone(1_200);
  const parts = await Promise.all(Array.from({ length: 12 }, (_, index) => read(client, index * 4096, 4096)));
  expect(Buffer.concat(parts).equals(image.subarray(0, 12 * 4096))).toBe(true);
  await back;
  expect(told).toEqual([expect.stringMatching(/^up to 600 s for imageio: .*\((ECONNREFUSED|ECONNRESET|closed|EPIPE)/)]);
});

test("a host that stays away, or a transfer that is over, is not waited for beyond that", async () => {
  server.add("t", { image: randomBytes(SIZE) });
  const brief = await open("t", { patienceMs: 700 });
  let isAlive = true;
  const ended = await open("t", { isAlive: async () => isAlive });
  await server.stop();
  const started = performance.now();
  await expect(read(brief, 0, 8)).rejects.toMatchObject({ code: "E_IMAGEIO_CONNECTION" });
  expect(performance.now() - started).toBeGreaterThan(600);
  isAlive = false;
  await expect(read(ended, 0, 8)).rejects.toMatchObject({ code: "E_IMAGEIO_CONNECTION" });
  expect(performance.now() - started).toBeLessThan(10_000);
  server = await ImageioServer.start(certificate);
});

test("a write, a flush and a list of extents get through while the host is gone for a moment", async () => {
  const image = Buffer.alloc(SIZE);
  server.add("t", { image, ops: "write" });
  const client = await open("t");
  const data = randomBytes(4096);
  const back = gone(600);
  await Promise.all([
    client.write(8192, data, signal),
    client.zero(0, 4096, signal),
    collect(client.extents("zero", signal)),
  ]);
  await client.flush(signal);
  await back;
  expect(image.subarray(8192, 8192 + 4096).equals(data)).toBe(true);
});

test("what the daemon has forgotten goes on at another address, where there is one", async () => {
  const image = randomBytes(SIZE);
  server.add("old", { image });
  const seen: number[] = [];
  const renewTicket: ImageioOptions["renewTicket"] = async (_signal, refusals) => {
    seen.push(refusals);
    if (refusals === 1) return true;
    server.add("new", { image });
    return { transferUrl: server.url("new") };
  };
  const client = await open("old", { renewTicket });
  await read(client, 0, 8);
  server.tickets.delete("old");
  expect((await read(client, 5, 10)).equals(image.subarray(5, 15))).toBe(true);
  expect(seen).toEqual([1, 2]);
});

test("there are never more connections than readers, nor than the host's share", async () => {
  const image = randomBytes(SIZE);
  server.add("a", { image, maxReaders: 3 });
  server.add("b", { image });
  const hostConnections = new Semaphore(4);
  const [a, b] = [await open("a", { hostConnections }), await open("b", { hostConnections })];
  expect(a.maxConnections).toBe(3);
  server.peakSockets = 0;
  const reads = Array.from({ length: 60 }, (_, index) => read(index % 2 === 0 ? a : b, index * 4096, 4096));
  await Promise.all(reads);
  expect(server.peakSockets).toBeLessThanOrEqual(4);
});

test("a connection that the daemon closed in silence costs one more request and no error", async () => {
  const image = randomBytes(SIZE);
  server.add("t", { image });
  const client = await open("t");
  await read(client, 0, 10);
  for (const socket of server.sockets) socket.destroy();
  expect((await read(client, 5, 10)).equals(image.subarray(5, 15))).toBe(true);
});

test("a sign of life does not fail on a connection that the daemon closed in silence", async () => {
  server.add("t", { image: randomBytes(SIZE) });
  const client = await open("t");
  await read(client, 0, 10);
  for (const socket of server.sockets) socket.destroy();
  server.requests.splice(0);
  await client.keepAlive(signal);
  expect(server.requests).toEqual(["OPTIONS"]);
});

test("a failing backend is asked again over a fresh connection, a bad range is not asked twice", async () => {
  const image = randomBytes(SIZE);
  server.add("t", { image });
  const client = await open("t");
  server.traps.push({ method: "GET", trap: "error" });
  expect((await read(client, 7, 9)).equals(image.subarray(7, 16))).toBe(true);
  server.requests.splice(0);
  await expect(read(client, SIZE - 1, 2)).rejects.toMatchObject({ code: "E_IMAGEIO", retry: "never" });
  expect(server.requests).toEqual(["GET"]);
});

test("a refused ticket is renewed once if the transfer lives, and names no ticket otherwise", async () => {
  const image = randomBytes(SIZE);
  const secret = "5f0c3f6e-secret";
  server.add(secret, { image });
  let renewals = 0;
  const renewTicket = async (): Promise<boolean> => {
    renewals += 1;
    server.add(secret, { image });
    return renewals === 1;
  };
  const client = await open(secret, { renewTicket });
  server.add(secret, { image, valid: false });
  expect(await collect(client.extents("zero", signal))).toHaveLength(1);
  renewals = 0;
  server.add(secret, { image, valid: false });
  expect((await read(client, 0, 16)).equals(image.subarray(0, 16))).toBe(true);
  server.tickets.delete(secret);
  renewals = 1;
  const error = await read(client, 0, 16).catch((reason: unknown) => reason);
  expect(hasCode(error, "E_IMAGEIO_TICKET")).toBe(true);
  expect(JSON.stringify(error) + String(error)).not.toContain(secret);
});

test("a PUT refused before its body was read is reported as a refusal, not as a broken pipe", async () => {
  server.add("t", { image: Buffer.alloc(SIZE * 16), ops: "write" });
  const client = await open("t");
  server.tickets.delete("t");
  await expect(client.write(0, randomBytes(SIZE * 16), signal)).rejects.toMatchObject({ code: "E_IMAGEIO_TICKET" });
});

test("a large write on a ticket that may only be read says so", async () => {
  server.add("t", { image: Buffer.alloc(SIZE * 16) });
  const client = await open("t");
  await expect(client.write(0, randomBytes(SIZE * 8), signal)).rejects.toMatchObject({
    code: "E_IMAGEIO_TICKET",
    message: expect.stringContaining("forbids write"),
  });
});

test("what is written and zeroed is what the image holds", async () => {
  const image = Buffer.alloc(SIZE, 0xee);
  const expected = Buffer.from(image);
  server.add("t", { image, ops: "write" });
  const client = await open("t");
  const block = 64 * 1024;
  const work: Promise<void>[] = [];
  for (let offset = 0; offset < SIZE; offset += block) {
    const data = offset % (3 * block) === 0 ? undefined : randomBytes(block);
    if (data === undefined) expected.fill(0, offset, offset + block);
    else data.copy(expected, offset);
    work.push(data === undefined ? client.zero(offset, block, signal) : client.write(offset, data, signal));
  }
  await Promise.all(work);
  await client.flush(signal);
  expect(image.equals(expected)).toBe(true);
});

test("a write is not repeated after a failing backend, because unflushed data may be gone", async () => {
  server.add("t", { image: Buffer.alloc(SIZE), ops: "write" });
  const client = await open("t");
  server.requests.splice(0);
  server.traps.push({ method: "PUT", trap: "error" });
  await expect(client.write(0, randomBytes(10), signal)).rejects.toMatchObject({ code: "E_IMAGEIO" });
  expect(server.requests).toEqual(["PUT"]);
});

test("extents survive a list that is cut on its way", async () => {
  const count = 20_000;
  const list = Array.from({ length: count }, (_, index) => ({
    start: index * 512,
    length: 512,
    dirty: index % 3 === 0,
    zero: index % 2 === 0,
  }));
  server.add("t", { image: Buffer.alloc(count * 512), dirty: JSON.stringify(list) });
  const client = await open("t");
  server.traps.push({ method: "GET", trap: "cut" });
  expect(await collect(client.extents("dirty", signal))).toEqual(list);
});

test("missing dirty extents are an error of their own", async () => {
  server.add("t", { image: Buffer.alloc(SIZE) });
  const client = await open("t");
  await expect(collect(client.extents("dirty", signal))).rejects.toMatchObject({ code: "E_NO_DIRTY_EXTENTS" });
});

test("an abandoned extents list gives its connection back", async () => {
  server.add("t", { image: Buffer.alloc(SIZE), maxReaders: 1 });
  const client = await open("t");
  for await (const extent of client.extents("zero", signal)) if (extent.start === 0) break;
  expect(await read(client, 0, 8)).toEqual(Buffer.alloc(8));
});

test("an aborted read rejects with the reason and leaves the buffer alone afterwards", async () => {
  server.add("t", { image: randomBytes(SIZE) });
  const client = await open("t");
  server.traps.push({ method: "GET", trap: "hold" });
  const controller = new AbortController();
  const buffer = Buffer.alloc(SIZE);
  const reading = client.readInto(0, buffer, controller.signal);
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await expect(reading).rejects.toThrow("enough");
  expect(buffer.equals(Buffer.alloc(SIZE))).toBe(true);
});

test("close ends what is under way, and no connection stays", async () => {
  server.add("t", { image: randomBytes(SIZE) });
  const client = await open("t");
  await read(client, 0, 8);
  server.traps.push({ method: "GET", trap: "hold" });
  const reading = read(client, 0, 8);
  await Promise.all([expect(reading).rejects.toMatchObject({ code: "E_IMAGEIO_CONNECTION" }), client.close()]);
  await expect.poll(() => server.sockets.size).toBe(0);
  await expect(read(client, 0, 8)).rejects.toMatchObject({ code: "E_IMAGEIO_CONNECTION", retry: "never" });
});

test("an unreachable host is reached through the proxy", async () => {
  const image = randomBytes(SIZE);
  server.add("t", { image });
  const client = await open("t", { transferUrl: "https://127.0.0.1:1/images/t", proxyUrl: server.url("t") });
  expect((await read(client, 1, 4)).equals(image.subarray(1, 5))).toBe(true);
});

test("a certificate of another CA or for another name is refused, without trying the proxy", async () => {
  server.add("t", { image: randomBytes(SIZE) });
  const other = await issueCertificate("IP:127.0.0.1");
  await expect(open("t", { ca: [other.ca], proxyUrl: server.url("t") })).rejects.toMatchObject({
    code: "E_CERTIFICATE",
  });
  const stranger = await ImageioServer.start(await issueCertificate("DNS:other.example"));
  try {
    stranger.add("t", { image: randomBytes(SIZE) });
    await expect(open("t", { transferUrl: stranger.url("t"), ca: [certificate.ca] })).rejects.toMatchObject({
      code: "E_CERTIFICATE",
    });
  } finally {
    await stranger.stop();
  }
  expect(server.requests).toEqual([]);
});

test("the unix socket carries everything when it is chosen", async () => {
  const directory = await mkdtemp(join(tmpdir(), "ovault-imageio-"));
  const local = await ImageioServer.start(join(directory, "imageio.sock"));
  try {
    const image = randomBytes(SIZE);
    local.add("t", { image });
    const client = await open("t", {
      transferUrl: "https://127.0.0.1:1/images/t",
      unixSocket: join(directory, "imageio.sock"),
    });
    expect((await read(client, 1, 4)).equals(image.subarray(1, 5))).toBe(true);
    await client.close();
  } finally {
    await local.stop();
    await rm(directory, { recursive: true });
  }
});
