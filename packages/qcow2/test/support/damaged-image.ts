import * as fc from "fast-check";

/** One change to an image: an entry of 8 bytes written somewhere, a byte, or the end cut off. */
export type Damage =
  | { readonly at: number; readonly entry: bigint }
  | { readonly at: number; readonly byte: number }
  | { readonly cutAt: number };

const COMPRESSED = 2n ** 62n;
const COPIED = 2n ** 63n;
const HEADER_BYTES = 120;

export function damaged(image: Buffer, changes: readonly Damage[]): Buffer {
  const result = Buffer.from(image);
  let end = result.length;
  for (const damage of changes) {
    if ("cutAt" in damage) end = Math.min(end, damage.cutAt);
    else if ("byte" in damage) result[damage.at] = damage.byte;
    else result.writeBigUInt64BE(damage.entry, damage.at);
  }
  return result.subarray(0, end);
}

/** Loops, tables that overlap each other and the header, absurd sizes and places, cuts, and flips anywhere. */
export function damages(image: Buffer): fc.Arbitrary<readonly Damage[]> {
  const l1 = Number(image.readBigUInt64BE(40));
  const l1Entries = image.readUInt32BE(36);
  const tables = entriesOf(image, l1, l1Entries);
  const clusterBytes = 2 ** image.readUInt32BE(20);
  const tableEntries = tables.flatMap((table) => placesOf(image, table, clusterBytes / 8));
  const places = fc.constantFrom(l1, ...placesOf(image, l1, l1Entries), ...tableEntries);
  const offset = fc.oneof(
    fc.constantFrom(0, l1, ...tables),
    fc.nat(Math.floor(image.length / clusterBytes) + 1).map((cluster) => cluster * clusterBytes),
    fc.nat(image.length),
    fc.constantFrom(2 ** 40, 2 ** 52),
  );
  const flags = fc.constantFrom(0n, 1n, COPIED, COPIED | 1n, COMPRESSED, COMPRESSED | COPIED);
  const entry = fc.oneof(
    fc.tuple(offset, flags).map(([place, bits]) => BigInt(place) | bits),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  );
  const bytes = fc.record({ at: fc.nat(image.length - 1), byte: fc.nat(255) });
  const header = fc.record({ at: fc.nat(HEADER_BYTES), byte: fc.nat(255) });
  const table = fc.record({ at: places, entry });
  // Size, place of the L1 table, of the refcount table, of the name of the backing file.
  const field = fc.record({ at: fc.constantFrom(8, 24, 40, 48), entry });
  const cut = fc.nat(image.length).map((cutAt) => ({ cutAt }));
  return fc.array<Damage>(fc.oneof(table, table, table, header, field, bytes, cut), { minLength: 1, maxLength: 6 });
}

/** Of a table's entries, as far as the file goes. */
function placesOf(image: Buffer, table: number, entries: number): number[] {
  return Array.from({ length: entries }, (_, index) => table + index * 8).filter((at) => at + 8 <= image.length);
}

/** Where the entries of a table point to. */
function entriesOf(image: Buffer, table: number, entries: number): number[] {
  return placesOf(image, table, entries)
    .map((place) => Number(image.readBigUInt64BE(place) & 0x00fffffffffffe00n))
    .filter((offset) => offset !== 0);
}
