import * as fc from "fast-check";
import { expect, test } from "vitest";

import { IntegrityError } from "@ovault/contract";
import { BlockSums, SUM_BLOCK_BYTES } from "@ovault/destination-synthetic/internal/block-sums";

const sums = fc
  .record({
    logicalBytes: fc.integer({ min: 0, max: 20 * SUM_BLOCK_BYTES }),
    data: fc.array(fc.tuple(fc.nat(19), fc.nat(0xffffffff)), { maxLength: 20 }),
  })
  .map(({ logicalBytes, data }) => {
    const made = BlockSums.ofZeros(logicalBytes);
    for (const [block, sum] of data) if (block < made.blocks) made.setData(block, sum);
    return made;
  });

function entriesOf(table: BlockSums): unknown[] {
  return Array.from({ length: table.blocks }, (_, block) => [table.isData(block), table.sumOf(block)]);
}

test("checksums survive their file", () => {
  fc.assert(
    fc.property(sums, (table) => {
      expect(entriesOf(BlockSums.decode(table.encode(), table.logicalBytes))).toEqual(entriesOf(table));
    }),
  );
});

test("a file of checksums that is cut, changed, or of another size is refused", () => {
  fc.assert(
    fc.property(sums, fc.nat(), fc.integer({ min: 1, max: 255 }), (table, place, change) => {
      const file = table.encode();
      const changed = Buffer.from(file);
      const at = place % file.length;
      changed[at] = Number(changed[at]) ^ change;
      for (const bad of [changed, file.subarray(0, at), Buffer.concat([file, Buffer.alloc(4)])]) {
        expect(() => BlockSums.decode(bad, table.logicalBytes)).toThrow(IntegrityError);
      }
      expect(() => BlockSums.decode(file, table.logicalBytes + 1)).toThrow(IntegrityError);
    }),
  );
});

test("of an image that is cut or extended, the blocks that stay keep their sums and the new ones are zeros", () => {
  fc.assert(
    fc.property(sums, fc.integer({ min: 0, max: 20 * SUM_BLOCK_BYTES }), (table, logicalBytes) => {
      const other = table.resized(logicalBytes);
      const kept = Math.min(table.blocks, other.blocks);
      expect(entriesOf(other).slice(0, kept)).toEqual(entriesOf(table).slice(0, kept));
      expect(entriesOf(other).slice(kept)).toEqual(Array.from({ length: other.blocks - kept }, () => [false, 0]));
    }),
  );
});
