import { type ObjectInfo, type ObjectStore, IntegrityError } from "@ovault/contract";
import type { PackListing } from "./pack-listing.ts";
import { packNameIn } from "../../format/layout.ts";
import { HEADER_BYTES } from "./pack-entries.ts";
import { decodeDirectory, decodeTrailer, MAX_PACK_BYTES, TRAILER_BYTES } from "./pack-format.ts";
import type { Protection } from "../../format/protection.ts";

/** Reads exactly these bytes of a pack. */
type ReadPack = (offset: number, length: number) => Promise<Uint8Array>;

/** Bytes read from a pack's end at once: nearly always its whole directory. */
const TAIL_BYTES = 64 * 1024;

/**
 * Reads a pack's own directory from the store, mostly in two requests.
 * @throws IntegrityError when the pack is truncated or its directory damaged
 */
export async function readPackListing(
  store: ObjectStore,
  protection: Protection,
  pack: ObjectInfo,
  signal: AbortSignal,
): Promise<PackListing> {
  const { key, bytes } = pack;
  assertPackSize(pack);
  const ask: ReadPack = (offset, length) => store.get(key, { range: { offset, length }, signal });
  const tailOffset = Math.max(0, bytes - TAIL_BYTES);
  const tail = await ask(tailOffset, bytes - tailOffset);
  const read: ReadPack = (offset, length) => {
    const at = offset - tailOffset;
    return at < 0 ? ask(offset, length) : Promise.resolve(tail.subarray(at, at + length));
  };
  return await listingOf(protection, pack, read);
}

/** @throws IntegrityError as above */
async function listingOf(protection: Protection, { key, bytes }: ObjectInfo, read: ReadPack): Promise<PackListing> {
  const name = packNameIn(key);
  if (name === undefined) throw new IntegrityError(`${key} is not the name of a pack`, { context: { key } });
  const seal = protection.packSeal(name);
  const offset = decodeTrailer(seal, await read(bytes - TRAILER_BYTES, TRAILER_BYTES), bytes, key);
  const header = await read(0, HEADER_BYTES);
  const stored = await read(offset, bytes - offset);
  const { kind, entries } = decodeDirectory(seal, header, { offset, stored, key });
  return { name, kind, dataEnd: offset, entries };
}

/** Checked before anything of that size is read. @throws IntegrityError */
function assertPackSize({ key, bytes }: ObjectInfo): void {
  if (bytes >= HEADER_BYTES + TRAILER_BYTES && bytes <= MAX_PACK_BYTES) return;
  const what = bytes > MAX_PACK_BYTES ? "too large" : "too short";
  throw new IntegrityError(`${key} is ${what} to be a pack`, { context: { key, bytes } });
}
