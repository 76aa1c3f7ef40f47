import * as fc from "fast-check";
import { expect, test } from "vitest";

import { toHex } from "../../src/util/hex.ts";
import { ChunkIndex, type ChunkLocation } from "../../src/repository/index/chunk-index.ts";
import type { ChunkId } from "../../src/format/digest.ts";
import type { PackListing } from "../../src/repository/packs/pack-listing.ts";
import { HEADER_BYTES, PackEntries, type PackEntry } from "../../src/repository/packs/pack-entries.ts";
import type { IndexedPack } from "../../src/repository/packs/pack-table.ts";
import { alikeIds, arbitraryListing, idOf, packName } from "../support/index-model.ts";

interface ModelPlace extends Omit<PackEntry, "id"> {
  readonly chunk: string;
  readonly pack: string;
  bad: boolean;
}

type ModelPack = { -readonly [Key in "kind" | "state"]: IndexedPack[Key] };

/** What an index is, said with a list and a map. */
class ModelIndex {
  readonly packs = new Map<string, ModelPack>();
  condemned: ReadonlySet<string> = new Set();
  places: ModelPlace[] = [];

  add({ name, kind, entries }: PackListing): void {
    if (this.packs.has(name)) return;
    this.packs.set(name, { kind, state: this.condemned.has(name) ? "condemned" : "usable" });
    for (const { id, ...facts } of entries) this.places.push({ ...facts, chunk: toHex(id), pack: name, bad: false });
  }

  drop(names: Iterable<string>): void {
    for (const name of names) {
      this.packs.delete(name);
      this.places = this.places.filter(({ pack }) => pack !== name);
    }
  }

  condemn(names: ReadonlySet<string>): void {
    this.condemned = names;
    for (const [name, pack] of this.packs) pack.state = names.has(name) ? "condemned" : "usable";
  }

  mark(id: ChunkId, name: string, bad: boolean): void {
    for (const place of this.placesOf(id)) if (place.pack === name) place.bad = bad;
  }

  placesOf(id: ChunkId): ModelPlace[] {
    const name = toHex(id);
    return this.places.filter(({ chunk }) => chunk === name);
  }

  isReliable({ pack, bad }: ModelPlace): boolean {
    return this.packs.get(pack)?.state === "usable" && !bad;
  }

  locationOf({ pack, offset, storedBytes, plainBytes, codec }: ModelPlace): ChunkLocation {
    const inPack: IndexedPack = { name: pack, kind: "data", state: "usable", ...this.packs.get(pack) };
    return { pack: inPack, offset, storedBytes, plainBytes, codec };
  }
}

interface Both {
  readonly index: ChunkIndex;
  readonly model: ModelIndex;
}
type Step = (both: Both) => void;

const alike = alikeIds(6);
const many = Array.from({ length: 600 }, (_, number) => idOf(number));
const names = Array.from({ length: 4 }, (_, number) => packName(number));
const anyName = fc.constantFrom(...names);
const anyId = fc.constantFrom(...alike);

const adding = (listing: PackListing): Step => {
  return ({ index, model }) => {
    index.add(listing);
    model.add(listing);
  };
};

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: arbitraryListing(anyName, anyId, 6).map(adding) },
  // As many as make the table grow.
  { weight: 1, arbitrary: arbitraryListing(anyName, fc.constantFrom(...many), 300).map(adding) },
  {
    weight: 10,
    arbitrary: fc.subarray(names).map((dropped) => ({ index, model }: Both) => {
      index.drop(dropped);
      model.drop(dropped);
    }),
  },
  {
    weight: 5,
    arbitrary: fc.subarray(names).map((condemned) => ({ index, model }: Both) => {
      index.condemn(new Set(condemned));
      model.condemn(new Set(condemned));
    }),
  },
  {
    weight: 20,
    arbitrary: fc.tuple(anyId, anyName).map(([id, name]) => ({ index, model }: Both) => {
      index.markBad(id, name);
      model.mark(id, name, true);
    }),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(anyId, anyName).map(([id, name]) => ({ index, model }: Both) => {
      index.markGood(id, name);
      model.mark(id, name, false);
    }),
  },
);

const steps = fc.array(step, { maxLength: 30, size: "max" });

interface Answers {
  readonly has: boolean;
  readonly isReadable: boolean;
  readonly isKnown: boolean;
  /** The places to be relied on come first. */
  readonly places: readonly [reliable: readonly string[], others: readonly string[]];
}

function textsOf(places: readonly ChunkLocation[]): string[] {
  return places.map(({ pack, ...facts }) => Object.values({ ...pack, ...facts }).join()).toSorted();
}

function expectedAnswers(model: ModelIndex, id: ChunkId): Answers {
  const places = model.placesOf(id);
  const parts = [true, false].map((wanted) => places.filter((place) => model.isReliable(place) === wanted));
  const [reliable = [], others = []] = parts.map((part) => textsOf(part.map((place) => model.locationOf(place))));
  return {
    has: reliable.length > 0,
    isReadable: places.some(({ bad }) => !bad),
    isKnown: places.length > 0,
    places: [reliable, others],
  };
}

function answers({ index, model }: Both, id: ChunkId): Answers {
  const found = index.find(id);
  const reliable = model.placesOf(id).filter((place) => model.isReliable(place)).length;
  return {
    has: index.has(id),
    isReadable: index.isReadable(id),
    isKnown: index.entryOf(id) !== undefined,
    places: [textsOf(found.slice(0, reliable)), textsOf(found.slice(reliable))],
  };
}

function expectSame(both: Both, ids: readonly ChunkId[]): void {
  expect(ids.map((id) => answers(both, id))).toEqual(ids.map((id) => expectedAnswers(both.model, id)));
}

test("the index answers as a list of places would, whatever is added, dropped, condemned or found bad", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const both = { index: new ChunkIndex(), model: new ModelIndex() };
      for (const run of history) {
        run(both);
        expectSame(both, alike);
      }
      expectSame(both, many);
    }),
  );
});

test("the number that stands for a chunk stays, and stands for no other", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const both = { index: new ChunkIndex(), model: new ModelIndex() };
      const numbers = new Map<ChunkId, number>();
      for (const run of history) {
        run(both);
        const now = alike.map((id) => [id, both.index.entryOf(id)] as const);
        const changed = now.filter(([id, number]) => number !== undefined && number !== (numbers.get(id) ?? number));
        expect(changed).toEqual([]);
        for (const [id, number] of now) if (number !== undefined) numbers.set(id, number);
        expect(new Set(numbers.values()).size).toBe(numbers.size);
        expect([...numbers.values()].filter((number) => number >= both.index.size)).toEqual([]);
      }
    }),
  );
});

test("every place that is not gone is visited once, under the number of its chunk", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const both = { index: new ChunkIndex(), model: new ModelIndex() };
      for (const run of history) run(both);
      const { index, model } = both;
      const visited: unknown[] = [];
      index.forEachPlace((entry, pack, storedBytes) => visited.push([entry, index.packs.nameOf(pack), storedBytes]));
      const expected = model.places.map(({ chunk, pack, storedBytes }) => [
        index.entryOf(Uint8Array.from(Buffer.from(chunk, "hex"))),
        pack,
        storedBytes,
      ]);
      expect(visited.map(String).toSorted()).toEqual(expected.map(String).toSorted());
      const there = [...index.packs].filter(({ state }) => state !== "gone");
      expect(there.map(({ name, ...pack }) => [name, pack])).toEqual([...model.packs]);
    }),
  );
});

test("a chunk that moves from pack to pack takes no more room than one that stays", () => {
  const index = new ChunkIndex();
  const pack = (number: number): PackListing => {
    const entries = alike.map((id, at) => ({ id, offset: HEADER_BYTES + at, storedBytes: 1, plainBytes: 1, codec: 0 }));
    return { name: packName(number), kind: "data", dataEnd: 64, entries: PackEntries.of(entries) };
  };
  for (let number = 0; number < 1000; number += 1) {
    index.add(pack(number));
    if (number > 0) index.drop([packName(number - 1)]);
  }
  expect(index.size).toBeLessThanOrEqual(2 * alike.length);
  for (const id of alike) expect(index.find(id).map((place) => place.pack.name)).toEqual([packName(999)]);
});

test("it takes at most 64 bytes a chunk, packs included, however many there are", () => {
  const index = new ChunkIndex();
  const packs = 4096;
  let most = 0;
  for (let number = 0; number < packs; number += 1) {
    // Sixteen blocks that do not shrink fill a pack.
    const entries = Array.from({ length: 16 }, (_, at) => ({
      id: idOf(number * 16 + at),
      offset: HEADER_BYTES,
      storedBytes: 0,
      plainBytes: 1,
      codec: 0,
    }));
    index.add({ name: packName(number), kind: "data", dataEnd: HEADER_BYTES, entries: PackEntries.of(entries) });
    if (number > packs / 4) most = Math.max(most, ChunkIndex.bytesOf(index.shape) / index.size);
  }
  expect(most).toBeGreaterThan(48);
  expect(most).toBeLessThan(62);
});

test("it grows past its segments and slots", () => {
  const index = new ChunkIndex();
  const count = 70_000;
  const entries = Array.from({ length: count }, (_, number) => ({
    id: idOf(number),
    offset: HEADER_BYTES,
    storedBytes: number,
    plainBytes: 1,
    codec: 1,
  }));
  index.add({ name: packName(0), kind: "data", dataEnd: HEADER_BYTES, entries: PackEntries.of(entries) });
  expect(index.size).toBe(count);
  for (const number of [0, 32_767, 32_768, 65_535, 65_536, count - 1]) {
    expect(index.find(idOf(number))[0]?.storedBytes).toBe(number);
    expect(index.entryOf(idOf(number))).toBe(number);
  }
  expect(index.has(idOf(count))).toBe(false);
});

test("a name that cannot be one of a pack is never known, and not added", () => {
  const index = new ChunkIndex();
  const foreign = { name: "../etc/passwd", kind: "data", dataEnd: HEADER_BYTES, entries: PackEntries.of([]) } as const;
  expect(index.packs.numberOf(foreign.name)).toBe(undefined);
  index.drop([foreign.name]);
  expect(() => index.add(foreign)).toThrow(RangeError);
});
