import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { DiskSource } from "@ovault/contract";
import { MemoryStore, type ModelDisk, sourceOf } from "@ovault/testkit";

import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";

function diskOf(seed: number): ModelDisk {
  const bytes = Uint8Array.from({ length: 3000 + seed }, (_, at) => (at * (seed + 1)) & 0xff);
  return { bytes, extents: [{ offset: 0, length: bytes.length, kind: "data" }] };
}

/** Sources of which only `limit` can be held at once: the others wait for a place, and would for ever. */
class Scarce {
  readonly released: string[] = [];
  held = 0;
  mostHeld = 0;
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  source(disk: ModelDisk, id: string, onRead: () => void = () => {}): DiskSource {
    const inner = sourceOf(disk, { id, onRead });
    const hold = (): Promise<void> => this.#hold();
    return {
      ...inner,
      readInto: (offset, buffer, signal) => inner.readInto(offset, buffer, signal),
      async *extents(signal) {
        await hold();
        yield* inner.extents(signal);
      },
      release: async () => {
        this.released.push(id);
        this.held -= 1;
        this.#waiting.shift()?.();
      },
    };
  }

  async #hold(): Promise<void> {
    if (this.held >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.held += 1;
    this.mostHeld = Math.max(this.mostHeld, this.held);
  }
}

function fail(): void {
  throw new Error("the device is gone");
}

test("sources of which few can be held at once are all taken, each released once", async () => {
  const counts = fc.record({ disks: fc.integer({ min: 1, max: 6 }), limit: fc.integer({ min: 1, max: 3 }) });
  await fc.assert(
    fc.asyncProperty(counts, async ({ disks, limit }) => {
      const repository = await smallRepository(new MemoryStore(), 512);
      const scarce = new Scarce(limit);
      const images = Array.from({ length: disks }, (_, seed) => diskOf(seed));
      const point = await takePoint(
        repository,
        images.map((image, index) => scarce.source(image, `disk-${index}`)),
      );
      for (const [index, { bytes }] of images.entries()) {
        expect(Buffer.from(bytes).equals(await restoredBytes(repository, point, index))).toBe(true);
      }
      expect(scarce.released.toSorted()).toEqual(images.map((_, index) => `disk-${index}`));
      expect(scarce.mostHeld).toBeLessThanOrEqual(limit);
    }),
    { numRuns: 20 },
  );
});

test("a source that fails is released like those that are read", async () => {
  const repository = await smallRepository(new MemoryStore(), 512);
  const scarce = new Scarce(2);
  const sources = [scarce.source(diskOf(1), "good"), scarce.source(diskOf(2), "bad", fail)];
  await expect(takePoint(repository, sources)).rejects.toThrow("the device is gone");
  expect(scarce.released.toSorted()).toEqual(["bad", "good"]);
});
