import * as fc from "fast-check";
import { expect, test } from "vitest";

import { NfsProtocolError } from "../src/errors.ts";
import { RecordReader } from "../src/rpc/record-reader.ts";

const LAST = 0x80000000;

function fragments(record: Uint8Array, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const [index, size] of [...sizes, record.length].entries()) {
    const part = record.subarray(at, at + size);
    at += part.length;
    const header = Buffer.alloc(4);
    header.writeUInt32BE(part.length + (index === sizes.length ? LAST : 0));
    parts.push(header, Buffer.from(part));
  }
  return Buffer.concat(parts);
}

test("records come out as they were sent, however they are cut into fragments and pieces", () => {
  const record = fc.record({
    bytes: fc.uint8Array({ maxLength: 300 }),
    sizes: fc.array(fc.nat(100), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 5 }), fc.array(fc.integer({ min: 1, max: 50 })), (records, pieces) => {
      const stream = Buffer.concat(records.map(({ bytes, sizes }) => fragments(bytes, sizes)));
      const reader = new RecordReader(300);
      const seen: Buffer[] = [];
      let at = 0;
      for (const size of [...pieces, stream.length]) {
        seen.push(...reader.accept(stream.subarray(at, at + size)));
        at += size;
      }
      expect(seen.map((bytes) => [...bytes])).toEqual(records.map(({ bytes }) => [...bytes]));
    }),
  );
});

test("a record that is too long is refused by its header, before any memory is taken for it", () => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(301 + LAST);
  expect(() => [...new RecordReader(300).accept(header)]).toThrow(NfsProtocolError);
});

test("a record of fragments without end is refused", () => {
  expect(() => [...new RecordReader(300).accept(Buffer.alloc(4 * 100))]).toThrow(/too many fragments/);
});
