import { IntegrityError } from "../errors/errors.ts";
import { totalBytes } from "../store/total-bytes.ts";
import { digest, DIGEST_BYTES, sameId } from "./digest.ts";
import { ENTRY_BYTES, PackEntries } from "./pack-entries.ts";
import { kindCode, kindOf, type PackKind } from "./pack-format.ts";

/** One pack as an index object lists it. */
export interface PackListing {
  readonly name: string;
  readonly kind: PackKind;
  /** Offset at which the pack's directory starts, in bytes: where the last chunk ends at the latest. */
  readonly dataEnd: number;
  readonly entries: PackEntries;
}

const MAGIC = "OVAULTIX";
const VERSION = 1;
const HEADER_BYTES = 16;
const LISTING_BYTES = 28;
const NAME_BYTES = 16;

/** One object that lists the chunks of many packs, so that opening a repository need not visit each pack. */
export async function encodeIndex(packs: readonly PackListing[]): Promise<Uint8Array> {
  const entryBytes = totalBytes(packs.map(({ entries }) => entries.bytes));
  const object = Buffer.alloc(HEADER_BYTES + packs.length * LISTING_BYTES + entryBytes + DIGEST_BYTES);
  object.write(MAGIC, "latin1");
  object.writeUInt8(VERSION, 8);
  object.writeUInt32LE(packs.length, 12);
  let at = HEADER_BYTES;
  for (const { name, kind, dataEnd, entries } of packs) {
    object.write(name, at, "hex");
    object.writeUInt8(kindCode(kind), at + NAME_BYTES);
    object.writeUInt32LE(entries.length, at + 20);
    object.writeUInt32LE(dataEnd, at + 24);
    object.set(entries.bytes, at + LISTING_BYTES);
    at += LISTING_BYTES + entries.bytes.byteLength;
  }
  object.set(await digest(object.subarray(0, at)), at);
  return object;
}

/** Entries are views of `object`. Throws IntegrityError unless every byte is as `encodeIndex` wrote it. */
export async function decodeIndex(object: Uint8Array, key: string): Promise<PackListing[]> {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  const end = bytes.byteLength - DIGEST_BYTES;
  const whole =
    end >= HEADER_BYTES &&
    bytes.toString("latin1", 0, 8) === MAGIC &&
    bytes.readUInt8(8) === VERSION &&
    sameId(await digest(bytes.subarray(0, end)), bytes.subarray(end));
  if (!whole) throw new IntegrityError(`${key} is not a whole index object`, { context: { key } });
  const packs: PackListing[] = [];
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt32LE(12); left > 0; left -= 1) {
    const entriesAt = at + LISTING_BYTES;
    const next = entriesAt > end ? Infinity : entriesAt + bytes.readUInt32LE(at + 20) * ENTRY_BYTES;
    if (next > end) throw new IntegrityError(`${key} lists more than it holds`, { context: { key } });
    const dataEnd = bytes.readUInt32LE(at + 24);
    packs.push({
      name: bytes.toString("hex", at, at + NAME_BYTES),
      kind: kindOf(bytes.readUInt8(at + NAME_BYTES), key),
      dataEnd,
      entries: PackEntries.parse(
        new Uint8Array(bytes.buffer, bytes.byteOffset + entriesAt, next - entriesAt),
        dataEnd,
        key,
      ),
    });
    at = next;
  }
  if (at !== end) throw new IntegrityError(`${key} holds more than it lists`, { context: { key } });
  return packs;
}
