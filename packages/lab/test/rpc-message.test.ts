import { PassThrough } from "node:stream";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import {
  actAs,
  opaque,
  readCall,
  readOpaque,
  RecordSplitter,
  resultsOf,
  writeCall,
  writeRecord,
  writeReply,
  words,
} from "../src/nfs/rpc-message.ts";

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));

test("records come out of a stream as they went in, wherever it is cut", () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (records, step) => {
      const written = new PassThrough();
      for (const record of records) writeRecord(written, record);
      const stream: Buffer = written.read() ?? Buffer.alloc(0);
      const splitter = new RecordSplitter();
      const found: Buffer[] = [];
      for (let at = 0; at < stream.length; at += step) found.push(...splitter.accept(stream.subarray(at, at + step)));
      expect(found).toEqual(records);
    }),
  );
  const halves = Buffer.from([0, 0, 0, 1, 7, 0x80, 0, 0, 1, 8]); // two fragments of one record
  expect([...new RecordSplitter().accept(halves)]).toEqual([Buffer.from([7, 8])]);
});

test("a call becomes another user's, whatever the name of its machine", () => {
  fc.assert(
    fc.property(bytes, (name) => {
      const body = (uid: number): Buffer => Buffer.concat([words(7), opaque(name), words(uid, uid, 0)]);
      const credentials = (uid: number): Buffer => Buffer.concat([words(1), opaque(body(uid)), words(0, 0)]);
      const call = { id: 1, program: 2, procedure: 3, args: name };
      const record = writeCall({ ...call, credentials: credentials(5) });
      actAs(record, 36, 36);
      expect(record).toEqual(writeCall({ ...call, credentials: credentials(36) }));
    }),
  );
});

test("calls and replies are read as they were written", () => {
  const word = fc.integer({ min: 0, max: 2 ** 31 });
  const user = Buffer.from("000000010000000800000007000000240000000000000000", "hex");
  fc.assert(
    fc.property(word, word, word, bytes, (id, program, procedure, args) => {
      const call = { id, program, procedure, credentials: user, args };
      expect(readCall(writeCall(call))).toEqual(call);
      const results = resultsOf(writeReply(id, opaque(args)));
      expect(results === undefined ? undefined : readOpaque(results)).toEqual(args);
    }),
  );
  expect(resultsOf(Buffer.from("0000000100000001" + "00000001".repeat(4), "hex"))).toBeUndefined(); // denied
});
