import { describe, expect, test } from "vitest";

import { CancelledError } from "@ovault/contract";

import { BASE_ALLOCATION, NbdClient } from "../src/index.ts";
import { CHUNK, MAGIC, OPTION, OPTION_REPLY } from "../src/protocol.ts";
import { bytes, chunk, exportInfo, greeting, optionReply, simpleReply, withScriptedServer } from "./scripted-server.ts";

const { signal } = new AbortController();
const SIZE = 65_536;
const MAX = 0xffff_ffff;

const connect = (path: string, handshakeTimeoutMs = 20_000): Promise<NbdClient> =>
  NbdClient.connect({ address: { path }, exportName: "", contexts: [BASE_ALLOCATION], handshakeTimeoutMs, signal });

const silence = Buffer.alloc(0);
const structuredAck = optionReply(OPTION.structuredReply, OPTION_REPLY.ack);

describe("a handshake that is not sane ends in a clear error", () => {
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ["something else than NBD", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), "E_NBD_PROTOCOL"],
    ["the protocol of 2010", bytes([8, MAGIC.server], [8, 0x00420281861253n], [8, SIZE]), "E_NBD_HANDSHAKE"],
    ["newstyle, but not fixed", bytes([8, MAGIC.server], [8, MAGIC.option], [2, 0]), "E_NBD_HANDSHAKE"],
    ["an option reply of 4 GiB", bytes(greeting, optionReply(8, 1, undefined, MAX)), "E_NBD_PROTOCOL"],
    ["an answer to another option", bytes(greeting, optionReply(OPTION.go, 1)), "E_NBD_PROTOCOL"],
    [
      "contexts without end",
      bytes(
        greeting,
        structuredAck,
        ...Array<Buffer>(5000).fill(optionReply(OPTION.setMetaContext, OPTION_REPLY.metaContext, Buffer.alloc(8))),
      ),
      "E_NBD_PROTOCOL",
    ],
    [
      "an export of 2^63 bytes",
      bytes(
        greeting,
        structuredAck,
        optionReply(OPTION.setMetaContext, OPTION_REPLY.ack),
        optionReply(OPTION.go, OPTION_REPLY.info, exportInfo(2n ** 63n)),
        optionReply(OPTION.go, OPTION_REPLY.ack),
      ),
      "E_NBD_PROTOCOL",
    ],
  ];
  test.each(cases)("%s", async (_, welcome, code) => {
    await withScriptedServer({ welcome }, async (path) => expect(connect(path)).rejects.toMatchObject({ code }));
  });

  test("a hang-up in the middle", async () => {
    await withScriptedServer({ welcome: greeting.subarray(0, 9), hangUp: true }, async (path) => {
      await expect(connect(path)).rejects.toMatchObject({ code: "E_NBD_CONNECTION", retry: "transient" });
    });
  });

  test("silence ends at the deadline", async () => {
    await withScriptedServer({ welcome: silence }, async (path) => {
      await expect(connect(path, 50)).rejects.toMatchObject({ code: "E_NBD_HANDSHAKE", retry: "transient" });
    });
  });

  test("an aborted attempt to connect is over at once", async () => {
    await withScriptedServer({ welcome: silence }, async (path) => {
      const controller = new AbortController();
      const connecting = NbdClient.connect({ address: { path }, exportName: "", signal: controller.signal });
      setImmediate(() => controller.abort(new CancelledError("enough")));
      await expect(connecting).rejects.toMatchObject({ code: "E_CANCELLED" });
    });
  });
});

const read = (client: NbdClient): Promise<unknown> => client.readInto(0, Buffer.alloc(512), signal);
const status = (client: NbdClient): Promise<unknown> => client.blockStatus(0, SIZE, signal);

describe("a reply that is not sane ends the connection with a clear error", () => {
  const welcome = bytes(
    greeting,
    structuredAck,
    optionReply(OPTION.setMetaContext, OPTION_REPLY.metaContext, bytes([4, 5], Buffer.from(BASE_ALLOCATION))),
    optionReply(OPTION.setMetaContext, OPTION_REPLY.ack),
    optionReply(OPTION.go, OPTION_REPLY.info, exportInfo(SIZE)),
    optionReply(OPTION.go, OPTION_REPLY.ack),
  );
  const zeroes = Buffer.alloc(512);
  const cases: readonly (readonly [string, (client: NbdClient) => Promise<unknown>, (cookie: Buffer) => Buffer])[] = [
    ["bad magic", read, (cookie) => bytes([4, 0x12345678], [4, 0], cookie)],
    ["an unknown request", read, () => simpleReply(bytes([8, 77]), 0)],
    ["a simple reply to a read", read, (cookie) => simpleReply(cookie, 0, zeroes)],
    ["data before the request", read, (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 2n ** 62n], zeroes))],
    ["more data than asked for", read, (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 1], zeroes))],
    ["a data chunk of 4 GiB", read, (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 0]), MAX)],
    ["less data than asked for", read, (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 0], zeroes.subarray(1)))],
    ["no data at all", read, (cookie) => chunk(cookie, CHUNK.none)],
    ["a hole of 4 GiB", read, (cookie) => chunk(cookie, CHUNK.offsetHole, bytes([8, 0], [4, MAX]))],
    [
      "an error message that is longer than its chunk",
      read,
      (cookie) => chunk(cookie, CHUNK.error, bytes([4, 5], [2, 99])),
    ],
    ["an error chunk of 4 GiB", read, (cookie) => chunk(cookie, CHUNK.error, bytes([4, 5], [2, 0]), MAX)],
    ["a chunk of unknown type", read, (cookie) => chunk(cookie, 999)],
    ["block status when data was asked for", read, (cookie) => chunk(cookie, CHUNK.blockStatus, bytes([4, 5], [8, 1]))],
    [
      "data when block status was asked for",
      status,
      (cookie) => chunk(cookie, CHUNK.offsetData, bytes([8, 0], zeroes)),
    ],
    ["an empty extent", status, (cookie) => chunk(cookie, CHUNK.blockStatus, bytes([4, 5], [4, 0], [4, 0]))],
    ["a block status of 4 GiB", status, (cookie) => chunk(cookie, CHUNK.blockStatus, bytes([4, 5]), MAX)],
    ["no block status", status, (cookie) => chunk(cookie, CHUNK.none)],
  ];
  test.each(cases)("%s", async (_, ask, answer) => {
    await withScriptedServer({ welcome, answer }, async (path) => {
      await using client = await connect(path);
      await expect(ask(client)).rejects.toMatchObject({ code: "E_NBD_PROTOCOL", retry: "never" });
      await expect(read(client)).rejects.toMatchObject({ code: "E_NBD_PROTOCOL" });
    });
  });
});
