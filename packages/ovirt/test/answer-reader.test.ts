import * as fc from "fast-check";
import { expect, test } from "vitest";

import { AnswerReader, type BodyTarget } from "../src/imageio/answer-reader.ts";
import { parseAnswerHead, type AnswerHead } from "../src/imageio/answer-head.ts";
import { ImageioConnectionError } from "../src/imageio/errors.ts";

const SCRATCH_BYTES = 512;

interface Fed {
  /** Of the answer, once it is whole. */
  readonly head: AnswerHead | undefined;
  /** How many bytes were taken until then. */
  readonly taken: number;
}

/** Puts the bytes where the reader wants them, in pieces of these sizes over and over, until the answer is whole. */
function feed(reader: AnswerReader, bytes: Uint8Array, sizes: readonly number[]): Fed {
  let taken = 0;
  for (let turn = 0; taken < bytes.length; turn += 1) {
    const target = reader.target();
    expect(target.length).toBeGreaterThan(0);
    const piece = bytes.subarray(taken, taken + Math.min(target.length, sizes[turn % sizes.length] ?? 1));
    target.set(piece);
    taken += piece.length;
    const head = reader.took(piece.length);
    if (head !== undefined) return { head, taken };
  }
  return { head: undefined, taken };
}

const ignored = (): BodyTarget => () => {};

function outcome(work: () => Fed): unknown {
  try {
    return work().head === undefined ? "not the end" : "an answer";
  } catch (error) {
    return (error as Error).constructor;
  }
}

function answer(body: Uint8Array, { status = 206, interim = 0, before = "", after = "" } = {}): Buffer {
  const head = `HTTP/1.1 ${status} Whatever\r\n${before}Content-Length: ${body.length}\r\n${after}\r\n`;
  return Buffer.concat([Buffer.from("HTTP/1.1 102 Processing\r\n\r\n".repeat(interim) + head, "latin1"), body]);
}

const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 });
const bodies = fc.uint8Array({ maxLength: 3_000 });

test("however an answer is cut, its body comes whole to where it belongs, and it ends with its last byte", () => {
  fc.assert(
    fc.property(bodies, sizes, fc.boolean(), fc.nat(3), (body, cuts, intoBuffer, interim) => {
      const buffer = new Uint8Array(body.length);
      const pieces: Uint8Array[] = [];
      const keep = (piece: Uint8Array): void => void pieces.push(Uint8Array.from(piece));
      const reader = new AnswerReader(Buffer.alloc(SCRATCH_BYTES), () => (intoBuffer ? buffer : keep));
      const bytes = answer(body, { interim, before: "content-range: bytes 1-2/3 \r\n" });
      const head = { status: 206, length: body.length, contentRange: "bytes 1-2/3", keepAlive: true };
      expect(feed(reader, bytes, cuts)).toEqual({ head, taken: bytes.length });
      expect(intoBuffer ? buffer : Uint8Array.from(Buffer.concat(pieces))).toEqual(body);
    }),
  );
});

test("an answer that is cut short never ends, one that goes on is an error", () => {
  fc.assert(
    fc.property(bodies, sizes, fc.integer({ min: 1, max: 40 }), (body, cuts, missing) => {
      const bytes = answer(body);
      const short = new AnswerReader(Buffer.alloc(SCRATCH_BYTES), ignored);
      const cut = bytes.subarray(0, Math.max(0, bytes.length - missing));
      expect(feed(short, cut, cuts).head).toBeUndefined();
      const long = new AnswerReader(Buffer.alloc(4_096), ignored);
      long.target().set(Buffer.concat([bytes, Buffer.alloc(missing)]));
      expect(() => long.took(bytes.length + missing)).toThrow(ImageioConnectionError);
    }),
  );
});

test("a body of another length than the buffer's is an error before a byte of it is written", () => {
  fc.assert(
    fc.property(bodies, fc.nat(3_000), sizes, (body, length, cuts) => {
      fc.pre(length !== body.length);
      const buffer = new Uint8Array(length);
      const reader = new AnswerReader(Buffer.alloc(SCRATCH_BYTES), () => buffer);
      expect(() => feed(reader, answer(body), cuts)).toThrow(/imageio sent \d+ bytes where \d+ were to come/);
      expect(buffer).toEqual(new Uint8Array(length));
    }),
  );
});

test("whatever else comes is an error, or not the end of an answer", () => {
  const noise = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
    fc.string({ minLength: 1 }).map((text) => answer(Buffer.alloc(0), { before: `${text}\r\n` })),
  );
  fc.assert(
    fc.property(noise, sizes, (bytes, cuts) => {
      const reader = new AnswerReader(Buffer.alloc(SCRATCH_BYTES), ignored);
      expect(["an answer", "not the end", ImageioConnectionError]).toContain(outcome(() => feed(reader, bytes, cuts)));
    }),
  );
});

test.each([
  ["no HTTP", "SSH-2.0-OpenSSH_9.2", /begins with "SSH-2.0-OpenSSH_9.2"/],
  ["another version of HTTP", "HTTP/2 200", /begins with/],
  ["a line without a name", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n: x", /no header field/],
  ["a folded line", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n x", /no header field/],
  ["a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 1", /no header field/],
  ["no length", "HTTP/1.1 200 OK", /no Content-Length/],
  ["an invalid length", "HTTP/1.1 200 OK\r\nContent-Length: 0x10", /no Content-Length/],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2", /no Content-Length/],
  ["chunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", /has a Transfer-Encoding/],
])("a head with %s is refused", (_, text, reason) => {
  expect(() => parseAnswerHead(text)).toThrow(reason);
});

test.each([
  ["HTTP/1.1 200 OK\r\nContent-Length: 0", true],
  ["HTTP/1.1 204 No Content", true],
  ["HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 7", false],
  ["HTTP/1.1 200\r\nConnection: keep-alive, Close\r\nContent-Length: 0", false],
  ["HTTP/1.0 200 OK\r\nContent-Length: 0", false],
])("%j is an answer, after which the connection is kept: %s", (text, keepAlive) => {
  expect(parseAnswerHead(text)).toMatchObject({ keepAlive });
});
