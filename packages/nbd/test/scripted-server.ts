import net from "node:net";
import { join } from "node:path";

import { scopedDirectory } from "@ovault/test-support/scoped-directory";

import { CHUNK_FLAG_DONE, INFO, MAGIC } from "../src/protocol.ts";

/** Big-endian integers of 2, 4 and 8 bytes, and raw bytes, one after the other. */
export function bytes(...parts: readonly (readonly [2 | 4 | 8, number | bigint] | Buffer)[]): Buffer {
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

const EMPTY: Buffer = Buffer.alloc(0);

export const greeting = bytes([8, MAGIC.server], [8, MAGIC.option], [2, 3]);

/** `length` may lie. */
export function optionReply(option: number, type: number, data = EMPTY, length = data.length): Buffer {
  return bytes([8, MAGIC.optionReply], [4, option], [4, type], [4, length], data);
}

export function exportInfo(size: number | bigint, flags = 1): Buffer {
  return bytes([2, INFO.export], [8, size], [2, flags]);
}

/** The last chunk of a structured reply; `length` may lie. */
export function chunk(cookie: Buffer, type: number, data = EMPTY, length = data.length): Buffer {
  return bytes([4, MAGIC.structuredReply], [2, CHUNK_FLAG_DONE], [2, type], cookie, [4, length], data);
}

export function simpleReply(cookie: Buffer, errno: number, data = EMPTY): Buffer {
  return bytes([4, MAGIC.simpleReply], [4, errno], cookie, data);
}

export interface Script {
  /** All the server ever says in the handshake, at once and whatever the client asks. */
  readonly welcome: Buffer;
  readonly hangUp?: boolean;
  /** What it says to each request, found by its magic; called again for requests that travel together. */
  readonly answer?: (cookie: Buffer, command: number) => Buffer;
}

/** A server that follows a script, good or evil, on a unix socket. */
export async function withScriptedServer(script: Script, act: (path: string) => Promise<void>): Promise<void> {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.write(script.welcome);
    if (script.hangUp === true) socket.end();
    socket.on("data", (received) => {
      const magic = bytes([4, MAGIC.request]);
      for (let at = received.indexOf(magic); at !== -1; at = received.indexOf(magic, at + 28)) {
        const answer = script.answer?.(received.subarray(at + 8, at + 16), received.readUInt16BE(at + 6));
        if (answer !== undefined) socket.write(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await act(path);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}
