import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { NbdClient } from "@ovault/nbd";
import { freePort, listensOn } from "@ovault/test-support/free-port";
import { until } from "@ovault/test-support/until";

import { RELAY, START_RELAY } from "../../src/netcat/relay-script.ts";
import { startRelay, visit, type RelayRun } from "./relay.ts";

const MiB = 2 ** 20;
const { signal } = new AbortController();
const content = randomBytes(5 * MiB + 512);
let directory: string;
let service: string;
let stopServer: () => Promise<unknown>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-netcat-"));
  service = join(directory, "nbd.sock");
  const image = join(directory, "disk.raw");
  await writeFile(image, content);
  const server = spawn("qemu-nbd", ["-r", "-t", "--shared=8", "-f", "raw", "-k", service, image], { stdio: "ignore" });
  stopServer = () => {
    server.kill();
    return once(server, "exit");
  };
  await until("qemu-nbd listens", () => existsSync(service));
});

afterAll(async () => {
  await stopServer();
  await rm(directory, { recursive: true });
});

/** The client reads the whole disk, and nothing listens meanwhile. */
async function expectRead({ host, port, proof, answer }: RelayRun): Promise<void> {
  const ticket = { proof, answer };
  await using client = await NbdClient.connect({ address: { host, port }, exportName: "", ticket, signal });
  expect(await listensOn(port)).toBe(false);
  const seen = Buffer.alloc(content.length);
  await client.readInto(0, seen, signal);
  expect(seen.equals(content)).toBe(true);
}

const pythons = (
  await Promise.all(
    ["python3", "/usr/libexec/platform-python", "python2", "python3.6"].map((python) =>
      promisify(execFile)(python, ["-E", "-s", "-c", "import socket"]).then(
        () => python,
        () => undefined,
      ),
    ),
  )
).filter((python) => python !== undefined);

test.each(pythons)("%s joins the client that proves itself with the server, and ends after it", async (python) => {
  await using relay = await startRelay({ service, python });
  await expectRead(relay);
  expect(await relay.ended).toEqual({ exitCode: 0, stderr: "" });
});

test("a stranger who connects first, or sends something else, gets no byte and does not use up the port", async () => {
  await using relay = await startRelay({ service });
  const { proof } = relay;
  const almost = Buffer.from(proof);
  almost.writeUInt8(~proof.readUInt8(31) & 0xff, 31);
  const silent = await visit(relay);
  const strangers = [
    await visit(relay, randomBytes(32)),
    await visit(relay, Buffer.from("GET / HTTP/1.1\r\nHost: kvm1.example.com\r\n\r\n")),
    await visit(relay, Buffer.concat([randomBytes(3), proof])),
    await visit(relay, almost),
  ];
  for (const stranger of strangers) expect(await stranger.received).toHaveLength(0);
  const partial = await visit(relay, proof.subarray(0, 31));
  await expectRead(relay);
  expect(await silent.received).toHaveLength(0);
  expect(await partial.received).toHaveLength(0);
});

test("a stranger who stays silent is disconnected", async () => {
  await using relay = await startRelay({ service });
  const began = Date.now();
  expect(await (await visit(relay)).received).toHaveLength(0);
  expect(Date.now() - began).toBeGreaterThan(4000);
  await expectRead(relay);
});

test("a proof that comes in pieces counts", async () => {
  await using relay = await startRelay({ service });
  const { socket } = await visit(relay, relay.proof.subarray(0, 10));
  await delay(50);
  socket.write(relay.proof.subarray(10));
  const [first] = (await once(socket, "data")) as [Buffer];
  expect(first.subarray(0, 32).equals(relay.answer)).toBe(true);
  socket.destroy();
});

test("more strangers than the relay keeps, silent and noisy, do not keep the client out", async () => {
  await using relay = await startRelay({ service });
  const strangers: net.Socket[] = [];
  const over = new AbortController();
  const flood = async (bytes: Buffer): Promise<void> => {
    while (!over.signal.aborted) {
      const socket = net.connect({ host: relay.host, port: relay.port });
      socket.on("error", () => {});
      strangers.push(socket);
      if (bytes.length > 0) socket.write(bytes);
      await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
      await delay(1);
    }
  };
  const floods = [flood(Buffer.alloc(0)), flood(Buffer.alloc(7)), flood(randomBytes(32))];
  await until("many strangers", () => strangers.length > 600);
  await expectRead(relay);
  over.abort();
  await Promise.all(floods);
  for (const stranger of strangers) stranger.destroy();
  expect(await relay.ended).toEqual({ exitCode: 0, stderr: "" });
});

test("a proof that was sent once opens nothing again", async () => {
  await using relay = await startRelay({ service });
  const { host, port, proof, answer } = relay;
  const early = await visit(relay);
  const ticket = { proof, answer };
  await using client = await NbdClient.connect({ address: { host, port }, exportName: "", ticket, signal });
  early.socket.write(proof);
  expect(await early.received).toHaveLength(0);
  await expect(NbdClient.connect({ address: { host, port }, exportName: "", ticket, signal })).rejects.toMatchObject({
    code: "E_NBD_CONNECTION",
  });
  const seen = Buffer.alloc(512);
  await client.readInto(0, seen, signal);
  expect(seen.equals(content.subarray(0, 512))).toBe(true);
});

test("without a client the port is closed at the deadline", async () => {
  await using relay = await startRelay({ service, seconds: 1 });
  await visit(relay);
  expect(await relay.ended).toEqual({ exitCode: 1, stderr: "no client within 1 s\n" });
  expect(await listensOn(relay.port)).toBe(false);
});

test("kill -9 closes the port, and the client's connection", async () => {
  await using relay = await startRelay({ service });
  const client = await visit(relay, relay.proof);
  await once(client.socket, "data");
  relay.child.kill("SIGKILL");
  await client.received;
  expect(await listensOn(relay.port)).toBe(false);
});

test("a port that is taken is passed over; when all are taken, that is the reason", async () => {
  const port = await freePort();
  await using other = net.createServer().listen(port, "127.0.0.1");
  await once(other, "listening");
  await expect(startRelay({ service, ports: [port, port] })).rejects.toThrow(
    `no free port from ${port} to ${port}: [Errno 98] Address already in use`,
  );
  await using relay = await startRelay({ service, ports: [port, port + 20] });
  expect(relay.port).toBeGreaterThan(port);
  await expectRead(relay);
});

test("it listens on the host's address in the network, without one on the address of SSH, and nowhere else", async () => {
  {
    await using inNetwork = await startRelay({ service, network: "127.0.0.0/8" });
    expect(inNetwork.host).toBe("127.0.0.1");
  }
  const env = { SSH_CONNECTION: "127.0.0.1 50000 127.0.0.2 22" };
  // Nothing else listens there on another address.
  const free = await freePort();
  await using ofSsh = await startRelay({ service, network: "", env, ports: [free, free] });
  expect(ofSsh.host).toBe("127.0.0.2");
  const elsewhere = net.connect({ host: "127.0.0.1", port: ofSsh.port });
  await expect(once(elsewhere, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await expect(startRelay({ service, network: "198.51.100.0/24" })).rejects.toThrow("no address in 198.51.100.0/24");
});

test("a server that is gone is the reason of the end, and the client gets no answer", async () => {
  await using relay = await startRelay({ service: join(directory, "absent.sock") });
  expect(await (await visit(relay, relay.proof)).received).toHaveLength(0);
  expect((await relay.ended).stderr).toMatch(/^cannot reach .*absent\.sock: .*No such file/);
});

test("without a server to lead to, it only answers the proof", async () => {
  await using relay = await startRelay({ service: "" });
  const client = await visit(relay, relay.proof);
  expect((await client.received).equals(relay.answer)).toBe(true);
  expect(await relay.ended).toEqual({ exitCode: 0, stderr: "" });
});

test("the host's first Python runs it; a host without one says so", async () => {
  const args = [
    "-c",
    `directory=/run/ovault-test\n${START_RELAY}`,
    "sh",
    RELAY,
    "198.51.100.0/24",
    "1024",
    "1024",
    service,
    "1",
  ];
  const started = async (path: string): Promise<string> => {
    const child = spawn("/bin/sh", args, { env: { PATH: path } });
    child.stdin.on("error", () => {});
    child.stdin.write(randomBytes(64));
    let stderr = "";
    child.stderr.on("data", (text) => (stderr += String(text)));
    await once(child, "close");
    return `${stderr.trim()} (${child.exitCode})`;
  };
  expect(await started(process.env["PATH"] ?? "")).toBe("no address in 198.51.100.0/24 (1)");
  expect(await started(directory)).toBe("there is no Python (127)");
});
