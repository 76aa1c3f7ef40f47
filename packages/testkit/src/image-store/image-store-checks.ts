import { randomFillSync } from "node:crypto";

import * as fc from "fast-check";

import { type ImageStore, inLanes, ObjectNotFoundError, StoreError } from "@ovault/contract";

import { assertProperty } from "../assert-property.ts";
import { assertRejects, assertRejectsWith, assertSame, assertSameBytes, outcomeOf } from "../assertions.ts";
import { imageCommands } from "./image-commands.ts";
import { keysOf } from "../stores/listed.ts";
import {
  contentOf,
  extentsOf,
  imagesOf,
  type ImageStoreCheck,
  makeImage,
  storeImage,
  withImage,
} from "./image-store-under-test.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** The whole ImageStore contract. Each check needs an empty store. */
export const imageStoreChecks: readonly ImageStoreCheck[] = [
  {
    name: "it behaves like a map from keys to bytes",
    async run({ store, runs }, signal) {
      const property = fc.asyncProperty(imageCommands(signal), async (commands) => {
        for (const [key] of await imagesOf(store, "", signal)) await store.delete(key, { signal });
        await fc.asyncModelRun(() => ({ model: new Map<string, Uint8Array>(), real: store }), commands);
      });
      await assertProperty(property, runs, signal);
    },
  },
  {
    name: "an image is invisible before its commit, and visible to all clients after",
    async run({ store, second = store }, signal) {
      const draft = await store.create("vm/disk", { logicalBytes: 3 * MIB, signal });
      try {
        await draft.write(0, Buffer.alloc(3 * MIB, "x"), signal);
        for (const client of [store, second]) {
          assertSame(await imagesOf(client, "", signal), [], "the listing before the commit");
          await assertRejects(() => client.open("vm/disk", { signal }), ObjectNotFoundError, "open before the commit");
        }
        await draft.commit(signal);
      } finally {
        await draft.abort();
      }
      for (const client of [store, second]) {
        assertSame(await imagesOf(client, "vm/", signal), [["vm/disk", 3 * MIB]], "the listing after the commit");
        assertSameBytes(await contentOf(client, "vm/disk", signal), Buffer.alloc(3 * MIB, "x"), "the content");
      }
    },
  },
  {
    name: "a draft that is aborted leaves nothing, and aborting is never an error",
    async run({ store }, signal) {
      const draft = await store.create("vm/disk", { logicalBytes: MIB, signal });
      await draft.write(100, Buffer.alloc(1000, "x"), signal);
      await draft.abort();
      await draft.abort();
      assertSame(await imagesOf(store, "", signal), [], "the listing");
      await storeImage(store, "vm/disk", Buffer.from("again"), signal);
      assertSameBytes(await contentOf(store, "vm/disk", signal), Buffer.from("again"), "an image of the same key");
    },
  },
  {
    name: "of several drafts of one key exactly one is committed, and its content stays",
    async run({ store, second = store, runs }, signal) {
      for (let round = 0; round < runs; round += 1) {
        const key = `race/${round}`;
        const bodies = [1, 2, 3, 4].map((value) => Buffer.alloc(100_000 + value, value));
        const commit = async (body: Uint8Array, i: number): Promise<void> =>
          await storeImage(i % 2 === 0 ? store : second, key, body, signal);
        const outcomes = await Promise.all(bodies.map((body, i) => outcomeOf(() => commit(body, i))));
        const winners = bodies.filter((_, i) => "value" in (outcomes[i] ?? {}));
        assertSame(winners.length, 1, `drafts of ${key} committed`);
        for (const outcome of outcomes) {
          if ("error" in outcome) await assertRejects(() => Promise.reject(outcome.error), StoreError, "the others");
        }
        assertSameBytes(await contentOf(store, key, signal), winners[0] ?? new Uint8Array(), `content of ${key}`);
      }
    },
  },
  {
    name: "an image made from another one shares its content and nothing else",
    async run({ store }, signal) {
      const first = randomFillSync(Buffer.alloc(2 * MIB + 513));
      await storeImage(store, "vm/first", first, signal);
      const from = "vm/first";
      await makeImage(store, "vm/second", { logicalBytes: 3 * MIB, from, signal }, async (draft) => {
        await draft.write(MIB - 100, Buffer.alloc(200, "new"), signal);
        await draft.zero(100, 5000, signal);
      });
      const second = Buffer.concat([first, Buffer.alloc(3 * MIB - first.length)]);
      second.fill("new", MIB - 100, MIB + 100).fill(0, 100, 5100);
      assertSameBytes(await contentOf(store, "vm/first", signal), first, "the older image");
      await store.delete("vm/first", { signal });
      assertSameBytes(await contentOf(store, "vm/second", signal), second, "the newer image, alone");
      await assertRejects(
        () => store.create("vm/third", { logicalBytes: 1, from, signal }),
        ObjectNotFoundError,
        "an image made from one that is gone",
      );
    },
  },
  {
    name: "an image that is open stays readable when it is deleted",
    async run({ store }, signal) {
      const bytes = randomFillSync(Buffer.alloc(MIB));
      await storeImage(store, "vm/disk", bytes, signal);
      await withImage(store, "vm/disk", signal, async (image) => {
        await store.delete("vm/disk", { signal });
        await store.delete("vm/disk", { signal });
        assertSame(await imagesOf(store, "", signal), [], "the listing");
        const read = Buffer.alloc(MIB);
        await image.readInto(0, read, signal);
        assertSameBytes(read, bytes, "the content of the open image");
      });
      await assertRejects(() => store.open("vm/disk", { signal }), ObjectNotFoundError, "open after delete");
    },
  },
  {
    name: "a large image that is mostly zeros costs what was written, and is exact beyond 4 GiB",
    async run({ store }, signal) {
      const logicalBytes = 6 * GIB + 512;
      const written = [0, 4 * GIB - 5, logicalBytes - 10].map((offset) => ({
        offset,
        bytes: Buffer.alloc(10, "ovault"),
      }));
      await makeImage(store, "vm/large", { logicalBytes, signal }, async (draft) => {
        for (const { offset, bytes } of written) await draft.write(offset, bytes, signal);
      });
      assertSame(await imagesOf(store, "", signal), [["vm/large", logicalBytes]], "the listing");
      await withImage(store, "vm/large", signal, async (image) => {
        const extents = await extentsOf(image, signal);
        for (const { offset, bytes } of written) {
          const here = extents.find((extent) => extent.offset <= offset && offset < extent.offset + extent.length);
          assertSame(here?.kind, "data", `the extent at ${offset}`);
          const read = Buffer.alloc(bytes.length);
          await image.readInto(offset, read, signal);
          assertSameBytes(read, bytes, `the bytes at ${offset}`);
        }
        const zeros = Buffer.alloc(MIB, "x");
        await image.readInto(5 * GIB, zeros, signal);
        assertSameBytes(zeros, Buffer.alloc(MIB), "what was never written");
      });
    },
  },
  {
    name: "writes at the same time, in different places, are all kept",
    async run({ store }, signal) {
      const bytes = randomFillSync(Buffer.alloc(4 * MIB));
      const step = 100_003;
      const offsets = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => i * step);
      await makeImage(store, "vm/disk", { logicalBytes: bytes.length, signal }, (draft) =>
        inLanes(offsets, 8, (offset) => draft.write(offset, bytes.subarray(offset, offset + step), signal)),
      );
      assertSameBytes(await contentOf(store, "vm/disk", signal), bytes, "the content");
    },
  },
  {
    name: "reads and writes past the end are errors, never short",
    async run({ store }, signal) {
      await storeImage(store, "vm/disk", Buffer.alloc(1000, "x"), signal);
      await withImage(store, "vm/disk", signal, async (image) => {
        for (const [offset, length] of [
          [999, 2],
          [1000, 1],
          [2000, 10],
        ] as const) {
          await assertRejects(() => image.readInto(offset, Buffer.alloc(length), signal), Error, `a read at ${offset}`);
        }
      });
      const draft = await store.create("vm/other", { logicalBytes: 1000, signal });
      try {
        await assertRejects(() => draft.write(999, Buffer.alloc(2), signal), StoreError, "a write past the end");
        await assertRejects(() => draft.zero(999, 2, signal), StoreError, "zeros past the end");
      } finally {
        await draft.abort();
      }
    },
  },
  {
    name: "keys come in ascending order of the whole key, below the prefix only, and bad ones are refused",
    async run({ store }, signal) {
      const keys = ["a-b", "a.b", "a/b", "a/b-1", "a/c/d", "a0", "b"];
      for (const key of keys.toReversed()) await storeImage(store, key, Buffer.from(key), signal);
      const listedKeys = async (prefix: string): Promise<string[]> =>
        (await imagesOf(store, prefix, signal)).map(([key]) => key);
      assertSame(await listedKeys(""), keys, "all");
      assertSame(await listedKeys("a/"), ["a/b", "a/b-1", "a/c/d"], "below a/");
      for (const key of ["", "/a", "../a", "a/../../b", "A", "a b", ".a", "x".repeat(201)]) {
        const shown = JSON.stringify(key.slice(0, 20));
        await assertRejects(() => store.create(key, { logicalBytes: 1, signal }), StoreError, `create ${shown}`);
        await assertRejects(() => store.open(key, { signal }), StoreError, `open ${shown}`);
        await assertRejects(() => store.delete(key, { signal }), StoreError, `delete ${shown}`);
      }
      await assertRejects(() => listedKeys("../"), StoreError, "list ../");
    },
  },
  {
    name: "objects and images do not meet, whatever their keys",
    async run({ store }, signal) {
      const { objects } = store;
      await storeImage(store, "vm/disk", Buffer.from("an image"), signal);
      for (const key of ["vm/disk", "vm/other"]) {
        await objects.put(key, [Buffer.from("an object")], { ifAbsent: true, signal });
      }
      assertSame(await keysIn(store, signal), ["vm/disk"], "the images");
      await objects.delete("vm/disk", { signal });
      assertSameBytes(await contentOf(store, "vm/disk", signal), Buffer.from("an image"), "the image");
      await objects.put("vm/disk", [Buffer.from("an object")], { ifAbsent: true, signal });
      await store.delete("vm/disk", { signal });
      assertSame(await keysIn(store, signal), [], "the images afterwards");
      assertSame(await keysOf(objects, "", signal), ["vm/disk", "vm/other"], "the objects afterwards");
    },
  },
  {
    name: "a call with an aborted signal rejects with its reason, and nothing comes of it",
    async run({ store }, signal) {
      const reason = new Error("enough");
      const aborted = AbortSignal.abort(reason);
      await storeImage(store, "there", Buffer.alloc(100, "x"), signal);
      const create = () => store.create("new", { logicalBytes: 1, signal: aborted });
      await assertRejectsWith(create, reason, "create");
      await assertRejectsWith(() => store.open("there", { signal: aborted }), reason, "open");
      await assertRejectsWith(() => store.delete("there", { signal: aborted }), reason, "delete");
      await assertRejectsWith(() => imagesOf(store, "", aborted), reason, "list");
      await withImage(store, "there", signal, async (image) => {
        await assertRejectsWith(() => image.readInto(0, Buffer.alloc(1), aborted), reason, "readInto");
      });
      const draft = await store.create("new", { logicalBytes: 100, signal });
      await assertRejectsWith(() => draft.write(0, Buffer.alloc(1), aborted), reason, "write");
      await assertRejectsWith(() => draft.zero(0, 1, aborted), reason, "zero");
      await assertRejectsWith(() => draft.commit(aborted), reason, "commit");
      await draft.abort();
      assertSame(await keysIn(store, signal), ["there"], "the listing afterwards");
    },
  },
];

async function keysIn(store: ImageStore, signal: AbortSignal): Promise<string[]> {
  return (await imagesOf(store, "", signal)).map(([key]) => key);
}
