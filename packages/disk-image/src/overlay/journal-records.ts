import { crc32 } from "node:zlib";

import { type OverlayFile, readUpTo, writeFully } from "./overlay-file.ts";

/** Length of the payload (u32), CRC-32 of all after it (u32), number of the record (u64), from 1 on. Little-endian. */
const HEADER_BYTES = 16;
/** No payload is longer, so that a damaged length asks for no memory. */
export const MOST_PAYLOAD_BYTES = 256 * 1024;
const READ_BYTES = 4 * 1024 * 1024;

export interface JournalRecord {
  readonly number: bigint;
  readonly payload: Buffer;
  /** Where the next one begins in the file, in bytes. */
  readonly end: number;
}

/** The intact records from `start` on, up to the first that is not, or that has the wrong number. */
export async function* recordsOf(file: OverlayFile, start: number): AsyncGenerator<JournalRecord> {
  const window = Buffer.alloc(READ_BYTES);
  let number = 1n;
  for (let offset = start; ;) {
    const bytes = window.subarray(0, await readUpTo(file, offset, window));
    let at = 0;
    while (at + HEADER_BYTES <= bytes.length) {
      const payloadBytes = bytes.readUInt32LE(at);
      const end = at + HEADER_BYTES + payloadBytes;
      if (payloadBytes === 0 || payloadBytes > MOST_PAYLOAD_BYTES) return;
      if (end > bytes.length) break;
      if (crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32LE(at + 4)) return;
      if (bytes.readBigUInt64LE(at + 8) !== number) return;
      yield { number, payload: Buffer.from(bytes.subarray(at + HEADER_BYTES, end)), end: offset + end };
      number += 1n;
      at = end;
    }
    // The file ends, perhaps within a record.
    if (at === 0) return;
    offset += at;
  }
}

/** Appends records to a file. One call at a time; a record whose call fails is written again in the same place. */
export class RecordWriter {
  readonly #file: OverlayFile;
  #end: number;
  #number: bigint;

  /** `last`: the last record that is there. */
  constructor(file: OverlayFile, last: Pick<JournalRecord, "number" | "end">) {
    this.#file = file;
    this.#end = last.end;
    this.#number = last.number;
  }

  /** Where the next record begins in the file, in bytes. */
  get end(): number {
    return this.#end;
  }

  async append(payload: Uint8Array): Promise<void> {
    const record = Buffer.alloc(HEADER_BYTES + payload.byteLength);
    record.writeUInt32LE(payload.byteLength, 0);
    record.writeBigUInt64LE(this.#number + 1n, 8);
    record.set(payload, HEADER_BYTES);
    record.writeUInt32LE(crc32(record.subarray(8)), 4);
    await writeFully(this.#file, this.#end, record);
    this.#number += 1n;
    this.#end += record.byteLength;
  }
}
