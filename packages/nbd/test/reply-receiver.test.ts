import { PassThrough } from "node:stream";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { ByteReader } from "../src/byte-reader.ts";
import { PendingReply } from "../src/pending-reply.ts";
import { CHUNK, CHUNK_FLAG_DONE, MAGIC } from "../src/protocol.ts";
import { ReplyReceiver } from "../src/reply-receiver.ts";

interface Piece {
  readonly cookie: number;
  readonly start: number;
  readonly length: number;
  /** 0 is a hole. */
  readonly fill: number;
}

function structuredChunk(piece: Piece, requestOffset: number, last: boolean): Buffer {
  const body = Buffer.alloc(piece.fill === 0 ? 12 : 8 + piece.length, piece.fill);
  body.writeBigUInt64BE(BigInt(requestOffset + piece.start), 0);
  if (piece.fill === 0) body.writeUInt32BE(piece.length, 8);
  const header = Buffer.alloc(20);
  header.writeUInt32BE(MAGIC.structuredReply, 0);
  header.writeUInt16BE(last ? CHUNK_FLAG_DONE : 0, 4);
  header.writeUInt16BE(piece.fill === 0 ? CHUNK.offsetHole : CHUNK.offsetData, 6);
  header.writeBigUInt64BE(BigInt(piece.cookie), 8);
  header.writeUInt32BE(body.length, 16);
  return Buffer.concat([header, body]);
}

function piecesOf(cookie: number, lengths: readonly { length: number; fill: number }[]): Piece[] {
  let start = 0;
  return lengths.map(({ length, fill }) => {
    start += length;
    return { cookie, start: start - length, length, fill };
  });
}

/** Replies to several reads, each in pieces, all pieces in any order. */
const conversation = fc
  .array(
    fc.array(fc.record({ length: fc.integer({ min: 1, max: 300 }), fill: fc.nat(255) }), {
      minLength: 1,
      maxLength: 6,
    }),
    { minLength: 1, maxLength: 5 },
  )
  .chain((reads) => {
    const pieces = reads.flatMap((lengths, cookie) => piecesOf(cookie, lengths));
    return fc.shuffledSubarray(pieces, { minLength: pieces.length });
  });

test("replies in pieces of any order, in segments of any size, fill the same buffers", async () => {
  await fc.assert(
    fc.asyncProperty(
      conversation,
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      async (pieces, cuts) => {
        const stream = new PassThrough();
        const receiver = new ReplyReceiver(new ByteReader(stream), true);
        const cookies = [...new Set(pieces.map(({ cookie }) => cookie))];
        const requests = cookies.map((cookie) => {
          const own = pieces.filter((piece) => piece.cookie === cookie);
          const expected = Buffer.alloc(own.reduce((sum, { length }) => sum + length, 0));
          for (const { start, length, fill } of own) expected.fill(fill, start, start + length);
          const offset = cookie * 5000;
          const target = Buffer.alloc(expected.length, 99);
          const reply = new PendingReply("read", offset, expected.length, target);
          receiver.expect(cookie, reply);
          return { cookie, offset, expected, target, reply };
        });
        const bytes = Buffer.concat(
          pieces.map((piece, index) => {
            const last = !pieces.slice(index + 1).some(({ cookie }) => cookie === piece.cookie);
            const request = requests.find(({ cookie }) => cookie === piece.cookie);
            return structuredChunk(piece, request?.offset ?? 0, last);
          }),
        );
        const ended = receiver.run().catch((error: unknown) => error);
        for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
          const length = cuts[cut % cuts.length] ?? 1;
          stream.write(bytes.subarray(at, at + length));
          at += length;
        }
        await Promise.all(requests.map(({ reply }) => reply.done));
        for (const { expected, target } of requests) expect(target.equals(expected)).toBe(true);
        stream.end();
        expect(await ended).toMatchObject({ code: "E_NBD_CONNECTION" });
      },
    ),
    { numRuns: 100 },
  );
});
