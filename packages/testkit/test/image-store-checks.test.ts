import { expect, test } from "vitest";

import type { ImageDraft, ImageStore, StoredImage } from "@ovault/contract";
import { describeImageStore, imageStoreChecks, MemoryImageStore, runCheck } from "@ovault/testkit";

const { signal } = new AbortController();

describeImageStore("the image store in memory", {
  open: async () => {
    const store = new MemoryImageStore();
    return { store, second: store, dispose: () => store.close() };
  },
});

/** A store in memory, but for the calls that are replaced. */
function broken(replace: (memory: MemoryImageStore) => Partial<ImageStore>): ImageStore {
  const memory = new MemoryImageStore();
  return {
    capabilities: memory.capabilities,
    objects: memory.objects,
    create: (key, options) => memory.create(key, options),
    open: (key, options) => memory.open(key, options),
    list: (prefix, options) => memory.list(prefix, options),
    delete: (key, options) => memory.delete(key, options),
    close: () => memory.close(),
    ...replace(memory),
  };
}

const brokenDraft = (replace: (draft: ImageDraft) => Partial<ImageDraft>): ImageStore =>
  broken((memory) => ({
    async create(key, options) {
      const draft = await memory.create(key, options);
      return {
        write: (offset, bytes, own) => draft.write(offset, bytes, own),
        zero: (offset, length, own) => draft.zero(offset, length, own),
        commit: (own) => draft.commit(own),
        abort: () => draft.abort(),
        ...replace(draft),
      };
    },
  }));

const brokenImage = (replace: (image: StoredImage) => Partial<StoredImage>): ImageStore =>
  broken((memory) => ({
    async open(key, options) {
      const image = await memory.open(key, options);
      return {
        key,
        logicalBytes: image.logicalBytes,
        extents: (own) => image.extents(own),
        readInto: (offset, target, own) => image.readInto(offset, target, own),
        close: () => image.close(),
        ...replace(image),
      };
    },
  }));

/** Each breaks one law, and the check that must tell. */
const offenders: Readonly<Record<string, readonly [open: () => ImageStore, check: string]>> = {
  "shows what is not committed": [
    () =>
      broken((memory) => ({
        async create(key, options) {
          await (await memory.create(key, options)).commit(options.signal);
          return await memory.create("shadow", options);
        },
      })),
    "an image is invisible before its commit, and visible to all clients after",
  ],
  "commits when it is aborted": [
    () => brokenDraft((draft) => ({ abort: () => draft.commit(signal).catch(() => {}) })),
    "a draft that is aborted leaves nothing, and aborting is never an error",
  ],
  "minds a second abort": [
    () => {
      let aborted = false;
      return brokenDraft(() => ({
        async abort() {
          if (aborted) throw new Error("no such draft");
          aborted = true;
        },
      }));
    },
    "a draft that is aborted leaves nothing, and aborting is never an error",
  ],
  "replaces an image that is there": [
    () =>
      broken((memory) => ({
        async create(key, options) {
          const draft = await memory.create(key, options);
          return {
            write: (offset, bytes, own) => draft.write(offset, bytes, own),
            zero: (offset, length, own) => draft.zero(offset, length, own),
            commit: async (own) => void (await Promise.all([memory.delete(key, { signal: own }), draft.commit(own)])),
            abort: () => draft.abort(),
          };
        },
      })),
    "of several drafts of one key exactly one is committed, and its content stays",
  ],
  "begins an image made from another one with zeros": [
    () =>
      broken((memory) => ({
        create: (key, { logicalBytes, signal: own }) => memory.create(key, { logicalBytes, signal: own }),
      })),
    "an image made from another one shares its content and nothing else",
  ],
  "forgets an image that is open": [
    () => {
      const gone = new Set<string>();
      return broken((memory) => ({
        async delete(key, options) {
          gone.add(key);
          await memory.delete(key, options);
        },
        async open(key, options) {
          const image = await memory.open(key, options);
          const readInto = async (offset: number, target: Uint8Array, own: AbortSignal): Promise<void> => {
            if (gone.has(key)) throw new Error("ESTALE");
            await image.readInto(offset, target, own);
          };
          return { ...image, readInto };
        },
      }));
    },
    "an image that is open stays readable when it is deleted",
  ],
  "counts in 32 bits": [
    () => brokenDraft((draft) => ({ write: (offset, bytes, own) => draft.write(offset % 2 ** 32, bytes, own) })),
    "a large image that is mostly zeros costs what was written, and is exact beyond 4 GiB",
  ],
  "keeps one write at a time": [
    () => {
      let writing = false;
      return brokenDraft((draft) => ({
        async write(offset, bytes, own) {
          if (writing) return;
          writing = true;
          await new Promise(setImmediate);
          await draft.write(offset, bytes, own);
          writing = false;
        },
      }));
    },
    "writes at the same time, in different places, are all kept",
  ],
  "reads short at the end": [
    () =>
      brokenImage((image) => ({
        readInto: (offset, target, own) => image.readInto(offset, target, own).catch(() => {}),
      })),
    "reads and writes past the end are errors, never short",
  ],
  "keeps its objects among its images": [
    () =>
      broken((memory) => ({
        async *list(prefix, options) {
          yield* memory.list(prefix, options);
          for await (const { key, bytes } of memory.objects.list(prefix, options)) yield { key, logicalBytes: bytes };
        },
      })),
    "objects and images do not meet, whatever their keys",
  ],
  "leaves gaps between its extents": [
    () =>
      brokenImage((image) => ({
        async *extents(own) {
          for await (const extent of image.extents(own)) if (extent.kind === "data") yield extent;
        },
      })),
    "a large image that is mostly zeros costs what was written, and is exact beyond 4 GiB",
  ],
};

for (const [what, [open, name]] of Object.entries(offenders)) {
  test(`an image store that ${what} is found out`, async () => {
    const check = imageStoreChecks.find((known) => known.name === name);
    if (check === undefined) throw new Error(`there is no check "${name}"`);
    const { status, detail } = await runCheck(check, { store: open(), runs: 40 }, signal);
    expect(detail).toMatch(/expected /);
    expect(status).toBe("failed");
  });
}
