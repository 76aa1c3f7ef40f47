import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Repository } from "@ovault/core";
import { listed, MemoryStore } from "@ovault/testkit";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";

import { plain } from "../../src/blocks/codecs/plain.ts";

function blockOf(number: number): Uint8Array {
  const block = new Uint8Array(8);
  new DataView(block.buffer).setUint32(0, number);
  return block;
}

test("a chunk that is stored anew is stored once a run, before and after its pack is put", async () => {
  const numbers = fc.array(fc.nat(30), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(numbers, numbers, async (before, blocks) => {
      const store = new MemoryStore();
      await smallRepository(store);
      // A pack is put with every third chunk.
      const repository = await Repository.open(store, { packBytes: 40, signal: never });
      const storeAll = async (anew: boolean, chosen: readonly number[]): Promise<number[]> => {
        const writer = repository.writer(never, anew ? ["data"] : []);
        const stored: number[] = [];
        for (const number of chosen) {
          const block = blockOf(number);
          const bytes = await writer.store("data", await writer.idOf(block), block);
          if (bytes > 0) stored.push(number);
        }
        await writer.finish();
        return stored;
      };
      expect(await storeAll(false, before)).toEqual([...new Set(before)]);
      expect(await storeAll(true, blocks)).toEqual([...new Set(blocks)]);
      expect(await storeAll(false, [...before, ...blocks])).toEqual([]);
    }),
  );
});

test("a pack holds no more chunks than fit into memory with all that is kept for them, however small they are", async () => {
  const store = new MemoryStore();
  await smallRepository(store);
  const repository = await Repository.open(store, { codec: plain, signal: never });
  const most = 16 * 1024;
  const writer = repository.writer(never);
  for (let number = 0; number <= most; number += 1) {
    const block = blockOf(number);
    await writer.store(
      "data",
      Uint8Array.from({ length: 32 }, (_, at) => block[at % 8] ?? 0),
      block,
    );
  }
  await writer.finish();
  expect((await listed(store, "packs/")).length).toBe(2);
});
