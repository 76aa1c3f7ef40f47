import * as fc from "fast-check";
import { expect, test } from "vitest";

import { IntegrityError } from "@ovault/contract";
import { never } from "@ovault/test-support/repository/take-point";

import { leavesOf } from "../../src/repository/block-map/block-map-leaves.ts";
import { PAGE_ENTRIES } from "../../src/repository/block-map/block-map-page.ts";
import { BlockMapReader } from "../../src/repository/block-map/block-map-reader.ts";
import { BlockMapWriter } from "../../src/repository/block-map/block-map-writer.ts";
import { digest, type ChunkId } from "../../src/format/digest.ts";
import { toHex } from "../../src/util/hex.ts";

/** Three levels, the last page of each with one entry only. */
const BLOCKS = PAGE_ENTRIES * PAGE_ENTRIES + 1;

/** Writes a map in which these blocks hold data; its pages, by id. */
async function writeMap(blocks: readonly number[]): Promise<{ root: ChunkId | null; pages: Map<string, Uint8Array> }> {
  const pages = new Map<string, Uint8Array>();
  const writer = new BlockMapWriter(BLOCKS, async (page) => {
    const id = await digest(page);
    pages.set(toHex(id), page);
    return id;
  });
  let next = 0;
  for (const block of blocks) {
    if (block > next) await writer.fill(next, block - next, "zero", never);
    await writer.set(block, await digest(Buffer.from(`block ${block}`)));
    next = block + 1;
  }
  if (next < BLOCKS) await writer.fill(next, BLOCKS - next, "zero", never);
  return { root: await writer.finish(), pages };
}

test("of a map with many pages, whatever pages are lost, all that is not below them can be read", async () => {
  const block = fc.oneof(fc.nat(BLOCKS - 1), fc.constantFrom(0, PAGE_ENTRIES - 1, PAGE_ENTRIES, BLOCKS - 1));
  const some = fc.uniqueArray(block, { minLength: 1, maxLength: 8 }).map((all) => all.toSorted((a, b) => a - b));
  await fc.assert(
    fc.asyncProperty(some, fc.array(fc.nat()), async (blocks, losses) => {
      const { root, pages } = await writeMap(blocks);
      const lost = new Set(losses.map((number) => [...pages.keys()][number % pages.size]));
      const asked = new Set<string>();
      const loadPage = async (id: ChunkId): Promise<Uint8Array> => {
        const name = toHex(id);
        asked.add(name);
        const page = pages.get(name);
        if (page === undefined || lost.has(name)) throw new IntegrityError(`page ${name} is lost`);
        return page;
      };
      const map = await BlockMapReader.open({ root, blockCount: BLOCKS, loadPage, tolerant: true, signal: never });
      const found: number[] = [];
      let covered = 0;
      let lostBlocks = 0;
      for await (const leaf of leavesOf(map, never)) {
        expect(leaf.first).toBe(covered);
        covered += leaf.count;
        if (leaf.kind === "lost") lostBlocks += leaf.count;
        if (leaf.kind !== "blocks") continue;
        for (const [at, id] of leaf.ids.entries()) if (id !== null) found.push(leaf.first + at);
      }
      expect(covered).toBe(BLOCKS);
      const anyLost = [...asked].some((name) => lost.has(name));
      expect(lostBlocks > 0).toBe(anyLost);
      expect(blocks).toEqual(expect.arrayContaining(found));
      expect(anyLost || found.length === blocks.length).toBe(true);
      const strict = BlockMapReader.open({ root, blockCount: BLOCKS, loadPage, signal: never });
      const inner = await strict.then(
        () => "whole",
        (error: unknown) => (error instanceof IntegrityError ? "lost" : "wrong"),
      );
      expect(inner === "whole" || anyLost).toBe(true);
    }),
    { numRuns: 15 },
  );
});
