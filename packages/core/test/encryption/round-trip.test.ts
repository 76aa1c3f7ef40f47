import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Codec, RecoveryPoint } from "@ovault/contract";
import { verifyRepository } from "@ovault/core";
import { applyChanges, arbitraryChanges, arbitraryDisk, MemoryStore, sourceOf } from "@ovault/testkit";
import { newKeyFile, reopenEncrypted, smallEncrypted } from "@ovault/test-support/repository/encrypted-repository";
import { never, restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";

import { lz4 } from "../../src/blocks/codecs/lz4.ts";
import { zstandard } from "../../src/blocks/codecs/zstandard.ts";

import { plain } from "../../src/blocks/codecs/plain.ts";

const blockSizes = fc.constantFrom(512, 1000, 4096);
const lanes = fc.integer({ min: 1, max: 8 });
const codecs = fc.constantFrom<Codec>(plain, lz4, zstandard(1));

describe("an encrypted repository", () => {
  test("restores what was backed up", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryDisk(), blockSizes, lanes, codecs, async (disk, blockBytes, width, codec) => {
        const store = new MemoryStore();
        const secret = newKeyFile();
        const repository = await smallEncrypted(store, secret, { blockBytes, codec });
        const point = await takePoint(repository, [sourceOf(disk)], { lanes: width });
        expect(await restoredBytes(await reopenEncrypted(store, secret), point)).toEqual(disk.bytes);
      }),
      { numRuns: 60 },
    );
  });

  test("keeps every point of a chain, and verifies clean", async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryDisk(6),
        fc.array(arbitraryChanges, { maxLength: 3 }),
        blockSizes,
        async (first, steps, blockBytes) => {
          const store = new MemoryStore();
          const secret = newKeyFile();
          const repository = await smallEncrypted(store, secret, { blockBytes });
          let disk = first;
          let base: RecoveryPoint | undefined = await takePoint(repository, [sourceOf(disk)]);
          const taken = [{ point: base, bytes: disk.bytes }];
          for (const step of steps) {
            disk = applyChanges(disk, step);
            base = await takePoint(repository, [sourceOf(disk, { mode: "incremental" })], { base });
            taken.push({ point: base, bytes: disk.bytes });
          }
          const reader = await reopenEncrypted(store, secret);
          for (const { point, bytes } of taken) expect(await restoredBytes(reader, point)).toEqual(bytes);
          expect((await verifyRepository(reader, { signal: never })).damage).toEqual([]);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("stores one content once, also after it was opened again", async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryDisk(), async (disk) => {
        const store = new MemoryStore();
        const secret = newKeyFile();
        await takePoint(await smallEncrypted(store, secret), [sourceOf(disk)]);
        const packs = [...store.objects.keys()].filter((key) => key.startsWith("packs/"));
        await takePoint(await reopenEncrypted(store, secret), [sourceOf(disk)]);
        expect([...store.objects.keys()].filter((key) => key.startsWith("packs/"))).toEqual(packs);
      }),
      { numRuns: 20 },
    );
  });

  test("finds everything by its packs alone when all index objects are gone", async () => {
    const store = new MemoryStore();
    const secret = newKeyFile();
    const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
    const disk = { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" as const }] };
    const point = await takePoint(await smallEncrypted(store, secret), [sourceOf(disk)]);
    for (const key of store.objects.keys()) if (key.startsWith("index/")) store.objects.delete(key);
    expect(await restoredBytes(await reopenEncrypted(store, secret), point)).toEqual(bytes);
  });
});
