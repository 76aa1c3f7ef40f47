import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { issueCertificate } from "@ovault/test-support/certificates";

import { Connection, type WireRequest } from "../src/imageio/connection.ts";
import { endpointOf, overUnixSocket, type Endpoint } from "../src/imageio/endpoint.ts";
import { ScriptedServer, type Script } from "./support/scripted-server.ts";

const MIB = 1024 * 1024;
const IDLE_MS = 60_000;
const { signal } = new AbortController();
const patience = { headMs: 5_000, bodyMs: 5_000 };
const ask: WireRequest = { method: "OPTIONS", patience };
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

let directory: string;
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-connection-"));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});
afterAll(() => rm(directory, { recursive: true }));

function connectionTo(endpoint: Endpoint, idleMs = IDLE_MS, connectMs?: number): Connection {
  const connection = new Connection(endpoint, idleMs, connectMs);
  closers.unshift(() => connection.destroy());
  return connection;
}

async function talkTo(script: Script, idleMs = IDLE_MS): Promise<{ server: ScriptedServer; connection: Connection }> {
  const path = join(directory, "imageio.sock");
  const server = await ScriptedServer.start(path, script);
  closers.unshift(() => server.stop());
  const endpoint = overUnixSocket(endpointOf("https://host.example/images/1f2a", []), path);
  return { server, connection: connectionTo(endpoint, idleMs) };
}

function read(into: Uint8Array, more: Partial<WireRequest> = {}): WireRequest {
  return { method: "GET", headers: { range: `bytes=0-${into.length - 1}` }, into, patience, ...more };
}

function head(length: number): string {
  return `HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-${length - 1}/9\r\nContent-Length: ${length}\r\n\r\n`;
}

/** Sends a little again and again, always before silence would end the request. */
function trickle(socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), 20);
  socket.once("close", () => clearInterval(timer));
}

test("requests follow one another over one socket, and say what HTTP wants said", async () => {
  const { server, connection } = await talkTo((socket) => socket.write(OK));
  const body = Buffer.from("[]");
  const headers = { "content-type": "application/json" };
  expect(await connection.exchange(ask, signal)).toEqual({ status: 200, contentRange: "", text: "ok" });
  await connection.exchange({ method: "PATCH", suffix: "?x=y", headers, body, patience }, signal);
  expect(server.sockets).toHaveLength(1);
  expect(server.requests).toEqual([
    "OPTIONS /images/1f2a HTTP/1.1\r\nhost: localhost",
    "PATCH /images/1f2a?x=y HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2",
  ]);
});

test("over TLS, blocks in shared memory come and go as they are", async () => {
  const certificate = await issueCertificate("DNS:localhost");
  const bytes = randomBytes(4 * MIB + 5);
  let received = Buffer.alloc(0);
  const server = createTlsServer(certificate, (socket) => {
    let request = Buffer.alloc(0);
    socket.on("data", (piece) => {
      request = Buffer.concat([request, piece]);
      const end = request.indexOf("\r\n\r\n") + 4;
      if (request.toString("latin1", 0, 3) === "GET") {
        socket.write(head(bytes.length));
        socket.write(bytes);
        request = Buffer.alloc(0);
      } else if (request.length === end + bytes.length) {
        received = request.subarray(end);
        socket.write(OK);
      }
    });
  });
  server.listen(0, "localhost");
  await once(server, "listening");
  closers.unshift(async () => server.close());
  const url = `https://localhost:${(server.address() as AddressInfo).port}/images/1f2a`;
  const connection = connectionTo(endpointOf(url, [certificate.ca]));
  const block = new Uint8Array(new SharedArrayBuffer(bytes.length));
  const answer = await connection.exchange(read(block), signal);
  expect(answer).toEqual({ status: 206, contentRange: `bytes 0-${bytes.length - 1}/9`, text: "" });
  expect(bytes.equals(block)).toBe(true);
  await connection.exchange({ method: "PUT", body: block, patience }, signal);
  expect(received.equals(bytes)).toBe(true);
});

test("after an answer that ends the connection, or an idle time, the next request opens another", async () => {
  const { server, connection } = await talkTo((socket, request) => {
    socket.write(request.startsWith("GET") ? OK.replace("\r\n", "\r\nConnection: close\r\n") : OK);
  }, 50);
  await connection.exchange({ method: "GET", patience }, signal);
  await connection.exchange(ask, signal);
  expect(server.sockets).toHaveLength(2);
  await expect.poll(() => server.sockets[1]?.destroyed).toBe(true);
  await connection.exchange(ask, signal);
  expect(server.sockets).toHaveLength(3);
});

test("a socket that the other side closed while it was idle is replaced without an error", async () => {
  const { server, connection } = await talkTo((socket) => socket.write(OK));
  await connection.exchange(ask, signal);
  server.sockets[0]?.end();
  await expect.poll(() => server.sockets[0]?.destroyed).toBe(true);
  await connection.exchange(ask, signal);
  expect(server.sockets).toHaveLength(2);
});

test.each<[string, Script, RegExp]>([
  ["closes before it answers", (socket) => socket.end(), /closed by the other side/],
  ["closes in the middle of a body", (socket) => socket.end(`${head(8)}1234`), /closed by the other side/],
  ["says nothing", () => {}, /silent for 50 ms/],
  ["falls silent in the middle of a body", (socket) => socket.write(`${head(8)}1234`), /silent for 50 ms/],
  ["sends more than was asked for", (socket) => socket.write(`${head(9)}123456789`), /9 bytes where 8 were to come/],
  ["sends more than it says", (socket) => socket.write(`${head(8)}123456789`), /9 bytes where 8 were to come/],
  ["sends less than was asked for", (socket) => socket.write(`${head(7)}1234567`), /7 bytes where 8 were to come/],
  ["sends a head without end", (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(70_000)}`), /no end/],
])("a server that %s is a lost connection, which is not used again", async (_, script, reason) => {
  const { server, connection } = await talkTo(script);
  const request = read(new Uint8Array(8), { patience: { headMs: 50, bodyMs: 50 } });
  const lost = { code: "E_IMAGEIO_CONNECTION", retry: "transient" };
  await expect(connection.exchange(request, signal)).rejects.toMatchObject({
    ...lost,
    message: expect.stringMatching(reason),
  });
  await expect(connection.exchange(ask, signal)).rejects.toMatchObject(lost);
  expect(server.sockets).toHaveLength(1);
  await expect.poll(() => server.sockets[0]?.destroyed).toBe(true);
});

test.each<[string, Script]>([
  ["100 Continue for ever", (socket) => trickle(socket, "HTTP/1.1 100 Continue\r\n\r\n")],
  ["a head by single bytes", (socket) => trickle(socket, "H")],
  ["a body by single bytes", (socket) => (socket.write(head(4096)), trickle(socket, "x"))],
])("a server that sends %s is given up, though it is never silent", async (_, script) => {
  const { connection } = await talkTo(script);
  const request = read(new Uint8Array(4096), { patience: { headMs: 1_000, bodyMs: 1_000 } });
  await expect(connection.exchange(request, signal)).rejects.toMatchObject({
    code: "E_IMAGEIO_CONNECTION",
    message: expect.stringMatching(/not whole within 2\d\d\d ms/),
  });
});

test("data without a request ends the connection", async () => {
  const { server, connection } = await talkTo((socket) => socket.write(OK));
  await connection.exchange(ask, signal);
  server.sockets[0]?.write(OK);
  await expect.poll(() => server.sockets[0]?.destroyed).toBe(true);
  await expect(connection.exchange(ask, signal)).rejects.toThrow(/closed/);
});

test("a server that takes the connection and no handshake is given up in time", async () => {
  const mute = createServer(() => {}).listen(0, "127.0.0.1");
  await once(mute, "listening");
  closers.unshift(async () => mute.close());
  const url = `https://127.0.0.1:${(mute.address() as AddressInfo).port}/images/1f2a`;
  // One limit for both, and not one for each. Timers expire in their order, however busy the machine is.
  const late = sleep(2_800, undefined, { ref: false }).then(() => expect.fail("not given up in time"));
  const exchange = connectionTo(endpointOf(url, []), IDLE_MS, 1_500).exchange(ask, signal);
  await expect(Promise.race([exchange, late])).rejects.toMatchObject({
    code: "E_IMAGEIO_CONNECTION",
    context: { reason: "ETIMEDOUT" },
    hint: expect.stringContaining("must be reachable"),
  });
});

test("after an abort nothing is written to the buffer any more, and the socket is closed", async () => {
  const { server, connection } = await talkTo((socket) => socket.write(`${head(4 * MIB)}12345678`));
  const controller = new AbortController();
  const into = Buffer.alloc(4 * MIB);
  const reading = connection.exchange(read(into), controller.signal);
  await expect.poll(() => into.subarray(0, 8).toString()).toBe("12345678");
  controller.abort(new Error("enough"));
  await expect(reading).rejects.toThrow("enough");
  const before = Buffer.from(into);
  server.sockets[0]?.write(randomBytes(MIB));
  await expect.poll(() => server.sockets[0]?.destroyed).toBe(true);
  expect(into.equals(before)).toBe(true);
});

test("a body that is read slowly is sent slowly, and the connection goes on afterwards", async () => {
  const bytes = randomBytes(32 * MIB);
  let sent = 0;
  const { server, connection } = await talkTo((socket, request) => {
    if (request.startsWith("OPTIONS")) return void socket.write(OK);
    socket.write(head(bytes.length));
    for (let start = 0; start < bytes.length; start += MIB) {
      socket.write(bytes.subarray(start, start + MIB), () => (sent += MIB));
    }
  });
  const request: WireRequest = { method: "GET", patience: { headMs: 1_000, bodyMs: 100 } };
  const { status, body } = await connection.stream(request, signal);
  expect(status).toBe(206);
  // Longer than the patience with the server, whose fault it is not.
  await sleep(300);
  expect(sent).toBeLessThan(8 * MIB);
  const parts: Buffer[] = [];
  for await (const piece of body) parts.push(piece);
  expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  await connection.exchange(ask, signal);
  expect(server.sockets).toHaveLength(1);
});

test("a stream that breaks fails its reader", async () => {
  const { connection } = await talkTo((socket) => socket.end(`${head(8)}1234`));
  const { body } = await connection.stream({ method: "GET", patience }, signal);
  await expect(body.toArray()).rejects.toMatchObject({ code: "E_IMAGEIO_CONNECTION" });
});

test("a stream that is left before its end closes the socket", async () => {
  const { server, connection } = await talkTo((socket) => socket.write(`${head(8)}1234`));
  const { body } = await connection.stream({ method: "GET", patience }, signal);
  for await (const piece of body) if (String(piece) === "1234") break;
  await expect.poll(() => server.sockets[0]?.destroyed).toBe(true);
});

test("a signed ticket that would become a header field of its own is refused, and not named", async () => {
  const endpoint = endpointOf("https://127.0.0.1:1/images/1f2a", [], "secret\r\nx-injected: 1");
  const error = await connectionTo(endpoint)
    .exchange(ask, signal)
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "E_IMAGEIO", message: expect.stringContaining("authorization") });
  expect(String(error)).not.toContain("secret");
});
