import net from "node:net";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { BASE_ALLOCATION, NbdClient } from "../src/index.ts";
import { CHUNK, CHUNK_FLAG_DONE, INFO, MAGIC, OPTION, OPTION_REPLY } from "../src/protocol.ts";
import { temporaryDirectory } from "./qemu.ts";

const { signal } = new AbortController();
const SIZE = 65_536;
const MAX = 0xffff_ffff;

/** Big-endian integers of 2, 4 and 8 bytes, and raw bytes, one after the other. */
function bytes(...parts: readonly (readonly [2 | 4 | 8, number | bigint] | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (Buffer.isBuffer(part)) return part;
      const [width, value] = part;
      const buffer = Buffer.alloc(8);
      buffer.writeBigUInt64BE(BigInt(value));
      return buffer.subarray(8 - width);
    }),
  );
}

const greeting = bytes([8, MAGIC.server], [8, MAGIC.option], [2, 3]);
const optionReply = (option: number, type: number, data: Buffer = Buffer.alloc(0), length = data.length): Buffer =>
  bytes([8, MAGIC.optionReply], [4, option], [4, type], [4, length], data);
const chunk = (cookie: Buffer, type: number, data: Buffer, length = data.length): Buffer =>
  bytes([4, MAGIC.structuredReply], [2, CHUNK_FLAG_DONE], [2, type], cookie, [4, length], data);
const exportInfo = (size: number | bigint): Buffer => bytes([2, INFO.export], [8, size], [2, 1]);

type Answer = (socket: net.Socket, received: Buffer) => void;

/** Serves whatever the script says; `answers[i]` gets what the client sent as its i-th message. */
async function withServer(answers: readonly Answer[], act: (path: string) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "nbd.sock");
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    const left = [...answers];
    left.shift()?.(socket, Buffer.alloc(0));
    socket.on("data", (received) => left.shift()?.(socket, received));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await act(path);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const connect = (path: string, handshakeTimeoutMs = 20_000): Promise<NbdClient> =>
  NbdClient.connect({ address: { path }, exportName: "", contexts: [BASE_ALLOCATION], handshakeTimeoutMs, signal });

const say =
  (...parts: readonly Buffer[]): Answer =>
  (socket) =>
    void socket.write(Buffer.concat(parts));
const silence: Answer = () => {};

const structuredAck = optionReply(OPTION.structuredReply, OPTION_REPLY.ack);

describe("a handshake that is not sane ends in a clear error", () => {
  const cases: readonly (readonly [string, readonly Answer[], string])[] = [
    ["something else than NBD", [say(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"))], "E_NBD_PROTOCOL"],
    ["the protocol of 2010", [say(bytes([8, MAGIC.server], [8, 0x00420281861253n], [8, SIZE]))], "E_NBD_HANDSHAKE"],
    ["newstyle, but not fixed", [say(bytes([8, MAGIC.server], [8, MAGIC.option], [2, 0]))], "E_NBD_HANDSHAKE"],
    ["an option reply of 4 GiB", [say(greeting, optionReply(8, 1, Buffer.alloc(0), MAX))], "E_NBD_PROTOCOL"],
    ["an answer to another option", [say(greeting, optionReply(OPTION.go, 1))], "E_NBD_PROTOCOL"],
    [
      "contexts without end",
      [
        say(
          greeting,
          structuredAck,
          ...Array<Buffer>(5000).fill(optionReply(OPTION.setMetaContext, OPTION_REPLY.metaContext, Buffer.alloc(8))),
        ),
      ],
      "E_NBD_PROTOCOL",
    ],
    [
      "an export of 2^63 bytes",
      [
        say(
          greeting,
          structuredAck,
          optionReply(OPTION.setMetaContext, OPTION_REPLY.ack),
          optionReply(OPTION.go, OPTION_REPLY.info, exportInfo(2n ** 63n)),
          optionReply(OPTION.go, OPTION_REPLY.ack),
        ),
      ],
      "E_NBD_PROTOCOL",
    ],
    ["a hang-up in the middle", [(socket) => void socket.end(greeting.subarray(0, 9))], "E_NBD_CONNECTION"],
  ];
  test.each(cases)("%s", async (_, answers, code) => {
    await withServer(answers, async (path) => expect(connect(path)).rejects.toMatchObject({ code }));
  });

  test("silence ends at the deadline", async () => {
    await withServer([silence], async (path) => {
      await expect(connect(path, 50)).rejects.toMatchObject({ code: "E_NBD_HANDSHAKE", retry: "transient" });
    });
  });

  test("an aborted attempt to connect is over at once", async () => {
    await withServer([silence], async (path) => {
      const controller = new AbortController();
      const connecting = NbdClient.connect({ address: { path }, exportName: "", signal: controller.signal });
      setImmediate(() => controller.abort());
      await expect(connecting).rejects.toMatchObject({ code: "E_CANCELLED" });
    });
  });
});

const read = (client: NbdClient): Promise<unknown> => client.readInto(0, Buffer.alloc(512), signal);
const status = (client: NbdClient): Promise<unknown> => client.blockStatus(0, SIZE, signal);

describe("a reply that is not sane ends the connection with a clear error", () => {
  const welcome = Buffer.concat([
    greeting,
    structuredAck,
    optionReply(OPTION.setMetaContext, OPTION_REPLY.metaContext, bytes([4, 5], Buffer.from(BASE_ALLOCATION))),
    optionReply(OPTION.setMetaContext, OPTION_REPLY.ack),
    optionReply(OPTION.go, OPTION_REPLY.info, exportInfo(SIZE)),
    optionReply(OPTION.go, OPTION_REPLY.ack),
  ]);
  const zeroes = Buffer.alloc(512);
  const cases: readonly (readonly [string, (client: NbdClient) => Promise<unknown>, (cookie: Buffer) => Buffer])[] = [
    ["bad magic", read, (cookie) => bytes([4, 0x12345678], [4, 0], cookie)],
    ["an unknown request", read, () => bytes([4, MAGIC.simpleReply], [4, 0], [8, 77])],
    ["a simple reply to a read", read, (cookie) => bytes([4, MAGIC.simpleReply], [4, 0], cookie, zeroes)],
    ["data before the request", read, (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 2n ** 62n], zeroes))],
    ["more data than asked for", read, (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 1], zeroes))],
    ["a data chunk of 4 GiB", read, (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 0]), MAX)],
    ["less data than asked for", read, (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 0], zeroes.subarray(1)))],
    ["no data at all", read, (cookie) => chunk(cookie, CHUNK.none, Buffer.alloc(0))],
    ["a hole of 4 GiB", read, (cookie) => chunk(cookie, CHUNK.offsetHole, bytes([8, 0], [4, MAX]))],
    [
      "an error message that is longer than its chunk",
      read,
      (cookie) => chunk(cookie, CHUNK.error, bytes([4, 5], [2, 99])),
    ],
    ["an error chunk of 4 GiB", read, (cookie) => chunk(cookie, CHUNK.error, bytes([4, 5], [2, 0]), MAX)],
    ["a chunk of unknown type", read, (cookie) => chunk(cookie, 999, Buffer.alloc(0))],
    ["block status when data was asked for", read, (cookie) => chunk(cookie, CHUNK.blockStatus, bytes([4, 5], [8, 1]))],
    [
      "data when block status was asked for",
      status,
      (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 0], zeroes)),
    ],
    ["an empty extent", status, (cookie) => chunk(cookie, CHUNK.blockStatus, bytes([4, 5], [4, 0], [4, 0]))],
    ["a block status of 4 GiB", status, (cookie) => chunk(cookie, CHUNK.blockStatus, bytes([4, 5]), MAX)],
    ["no block status", status, (cookie) => chunk(cookie, CHUNK.none, Buffer.alloc(0))],
  ];
  test.each(cases)("%s", async (_, ask, answer) => {
    const script = (socket: net.Socket, received: Buffer): void => {
      const at = received.lastIndexOf(bytes([4, MAGIC.request]));
      if (at !== -1) socket.write(answer(received.subarray(at + 8, at + 16)));
    };
    // The client sends three options, then requests.
    await withServer([say(welcome), script, script, script, script, script], async (path) => {
      await using client = await connect(path);
      await expect(ask(client)).rejects.toMatchObject({ code: "E_NBD_PROTOCOL", retry: "never" });
      await expect(read(client)).rejects.toMatchObject({ code: "E_NBD_PROTOCOL" });
    });
  });
});
