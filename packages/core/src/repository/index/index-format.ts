import type { PackListing } from "../packs/pack-listing.ts";
import { IntegrityError } from "@ovault/contract";
import { totalBytes } from "../../store/total-bytes.ts";
import { digest, DIGEST_BYTES, sameId } from "../../format/digest.ts";
import { ENTRY_BYTES, PackEntries } from "../packs/pack-entries.ts";
import { kindCode, kindOf } from "../packs/pack-format.ts";

/** Twice the longest that a writer makes: 65,536 chunks in nearly as many packs, and one more pack. */
export const MAX_INDEX_BYTES = 16 * 1024 * 1024;

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

/** Entries are views of `object`. @throws IntegrityError unless every byte is as `encodeIndex` wrote it */
export async function decodeIndex(object: Uint8Array, key: string): Promise<Iterable<PackListing>> {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  const content = bytes.subarray(0, -DIGEST_BYTES);
  const whole =
    content.byteLength >= HEADER_BYTES &&
    content.toString("latin1", 0, 8) === MAGIC &&
    content.readUInt8(8) === VERSION &&
    sameId(await digest(content), bytes.subarray(-DIGEST_BYTES));
  if (!whole) throw new IntegrityError(`${key} is not a whole index object`, { context: { key } });
  // Checks all of it before using any of it, without materializing all listings at once.
  let end = HEADER_BYTES;
  for (const { entries } of listingsIn(content, key)) end += LISTING_BYTES + entries.bytes.byteLength;
  if (end !== content.byteLength) throw new IntegrityError(`${key} holds more than it lists`, { context: { key } });
  return { [Symbol.iterator]: () => listingsIn(content, key) };
}

/** @throws IntegrityError */
function* listingsIn(content: Buffer, key: string): Generator<PackListing> {
  let at = HEADER_BYTES;
  for (let left = content.readUInt32LE(12); left > 0; left -= 1) {
    const start = at + LISTING_BYTES;
    const end = start > content.byteLength ? Infinity : start + content.readUInt32LE(at + 20) * ENTRY_BYTES;
    if (end > content.byteLength) throw new IntegrityError(`${key} lists more than it holds`, { context: { key } });
    const entries = new Uint8Array(content.buffer, content.byteOffset + start, end - start);
    const dataEnd = content.readUInt32LE(at + 24);
    yield {
      name: content.toString("hex", at, at + NAME_BYTES),
      kind: kindOf(content.readUInt8(at + NAME_BYTES), key),
      dataEnd,
      entries: PackEntries.parse(entries, dataEnd, key),
    };
    at = end;
  }
}
