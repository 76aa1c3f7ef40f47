import { expect, test } from "vitest";

import { CancelledError } from "@ovault/contract";

import { NbdClient } from "../src/index.ts";
import { COMMAND, ERRNO, INFO, OPTION, OPTION_REPLY } from "../src/protocol.ts";
import { bytes, chunk, exportInfo, greeting, optionReply, simpleReply, withScriptedServer } from "./scripted-server.ts";

const { signal } = new AbortController();
const SIZE = 65_536;

const unstructured = optionReply(OPTION.structuredReply, OPTION_REPLY.unsupported);

/** Reads give nines, and there is no space to write. */
function fullDisk(cookie: Buffer, command: number): Buffer {
  if (command === COMMAND.read) return simpleReply(cookie, 0, Buffer.alloc(512, 9));
  return simpleReply(cookie, command === COMMAND.write ? ERRNO.ENOSPC : 0);
}

test("a server with neither NBD_OPT_GO nor structured replies is read and written all the same", async () => {
  const welcome = bytes(
    greeting,
    unstructured,
    optionReply(OPTION.go, OPTION_REPLY.unsupported),
    bytes([8, SIZE], [2, 1]),
  );
  await withScriptedServer({ welcome, answer: fullDisk }, async (path) => {
    const contexts = ["base:allocation"];
    const client = await NbdClient.connect({ address: { path }, exportName: "", contexts, signal });
    expect(client).toMatchObject({
      logicalBytes: SIZE,
      contexts: [],
      features: { structuredReplies: false, flush: false },
    });
    const seen = Buffer.alloc(512);
    await client.readInto(0, seen, signal);
    expect(seen.every((byte) => byte === 9)).toBe(true);
    await expect(client.write(0, seen, {}, signal)).rejects.toMatchObject({ errno: "ENOSPC" });
    await client.readInto(0, seen, signal);
  });
});

test("a server with blocks of 4096 bytes gets nothing smaller", async () => {
  const welcome = bytes(
    greeting,
    optionReply(OPTION.structuredReply, OPTION_REPLY.ack),
    optionReply(OPTION.go, OPTION_REPLY.info, exportInfo(SIZE)),
    optionReply(OPTION.go, OPTION_REPLY.info, bytes([2, INFO.blockSize], [4, 4096], [4, 4096], [4, 2 ** 20])),
    optionReply(OPTION.go, OPTION_REPLY.ack),
  );
  await withScriptedServer({ welcome }, async (path) => {
    const client = await NbdClient.connect({ address: { path }, exportName: "", signal });
    expect(client).toMatchObject({ minBlockBytes: 4096, maxBlockBytes: 2 ** 20 });
    for (const [offset, length] of [
      [512, 4096],
      [0, 512],
    ] as const) {
      await expect(client.readInto(offset, Buffer.alloc(length), signal)).rejects.toMatchObject({ errno: "EINVAL" });
    }
  });
});

test("a read that is aborted in the middle of its data is drained, and its buffer left alone", async () => {
  const welcome = bytes(
    greeting,
    unstructured,
    optionReply(OPTION.go, OPTION_REPLY.info, exportInfo(SIZE)),
    optionReply(OPTION.go, OPTION_REPLY.ack),
  );
  let requests = 0;
  // The first reply stops half-way; the second request brings its other half.
  const answer = (cookie: Buffer): Buffer => {
    requests += 1;
    if (requests === 1) return simpleReply(cookie, 0, Buffer.alloc(1000, 1));
    return bytes(Buffer.alloc(SIZE - 1000, 2), simpleReply(cookie, 0, Buffer.alloc(512, 3)));
  };
  await withScriptedServer({ welcome, answer }, async (path) => {
    const client = await NbdClient.connect({ address: { path }, exportName: "", signal });
    const controller = new AbortController();
    const abandoned = Buffer.alloc(SIZE);
    const reading = client.readInto(0, abandoned, controller.signal).catch((error: unknown) => error);
    while (abandoned[999] !== 1) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new CancelledError("enough"));
    expect(await reading).toMatchObject({ code: "E_CANCELLED" });
    abandoned.fill(0);

    const seen = Buffer.alloc(512);
    await client.readInto(0, seen, signal);
    expect(seen.every((byte) => byte === 3)).toBe(true);
    expect(abandoned.every((byte) => byte === 0)).toBe(true);
  });
});

test("an error chunk tells its words and its place, and spares the connection", async () => {
  const welcome = bytes(
    greeting,
    optionReply(OPTION.structuredReply, OPTION_REPLY.ack),
    optionReply(OPTION.go, OPTION_REPLY.info, exportInfo(SIZE)),
    optionReply(OPTION.go, OPTION_REPLY.ack),
  );
  const words = Buffer.from("bad sector");
  const errorOffset = (1 << 15) + 2;
  const answer = (cookie: Buffer): Buffer =>
    chunk(cookie, errorOffset, bytes([4, ERRNO.EIO], [2, words.length], words, [8, 1024]));
  await withScriptedServer({ welcome, answer }, async (path) => {
    const client = await NbdClient.connect({ address: { path }, exportName: "", signal });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(client.readInto(0, Buffer.alloc(4096), signal)).rejects.toMatchObject({
        errno: "EIO",
        message: expect.stringContaining("bad sector at offset 1024"),
      });
    }
  });
});
