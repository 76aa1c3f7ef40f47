import * as fc from "fast-check";

import { type ImageDraft, type ImageStore, ObjectNotFoundError, StoreError } from "@ovault/contract";

import { assertRejects, assertSame, assertSameBytes } from "../assertions.ts";
import { contentOf, imagesOf } from "./image-store-under-test.ts";

type Model = Map<string, Uint8Array>;
type Command = fc.AsyncCommand<Model, ImageStore>;

/** A write, or with seed 0 a range of zeros; numbers are thousandths of the image. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly seed: number;
}

interface Making {
  readonly key: string;
  readonly logicalBytes: number;
  readonly from: string | undefined;
  readonly edits: readonly Edit[];
  readonly end: "commit" | "abort";
}

/** No key is a folder of another. */
const key = fc.constantFrom("vm-1/disk-a", "vm-1/disk-b", "vm-2/disk-a", "vm-10");
const edit: fc.Arbitrary<Edit> = fc.record({ from: fc.nat(1000), to: fc.nat(1000), seed: fc.nat(3) });
const making: fc.Arbitrary<Making> = fc.record({
  key,
  logicalBytes: fc.integer({ min: 1, max: 200_000 }),
  from: fc.option(key, { nil: undefined }),
  edits: fc.array(edit, { maxLength: 4 }),
  end: fc.constantFrom("commit", "commit", "abort"),
});

/** Random sequences of image store calls, to compare with a map of bytes. */
export function imageCommands(signal: AbortSignal): fc.Arbitrary<Iterable<Command>> {
  return fc.commands(
    [
      making.map((wish) => makeCommand(wish, signal)),
      key.map((k) => readCommand(k, signal)),
      key.map((k) => deleteCommand(k, signal)),
      fc.constantFrom("", "vm-1/", "none/").map((prefix) => listCommand(prefix, signal)),
    ],
    { maxCommands: 12 },
  );
}

function command(text: string, run: (model: Model, store: ImageStore) => Promise<void>): Command {
  return { check: () => true, run, toString: () => text };
}

function makeCommand(wish: Making, signal: AbortSignal): Command {
  const { logicalBytes, from, edits, end } = wish;
  const text = `make ${JSON.stringify(wish)}`;
  return command(text, async (model, store) => {
    const options = { logicalBytes, signal, ...(from === undefined ? {} : { from }) };
    const origin = from === undefined ? new Uint8Array() : model.get(from);
    if (origin === undefined)
      return await assertRejects(() => store.create(wish.key, options), ObjectNotFoundError, text);
    const expected = new Uint8Array(logicalBytes);
    expected.set(origin.subarray(0, logicalBytes));
    const draft = await store.create(wish.key, options);
    try {
      for (const one of edits) await applyEdit(one, expected, draft, signal);
      if (end === "abort") return;
      if (model.has(wish.key)) return await assertRejects(() => draft.commit(signal), StoreError, text);
      await draft.commit(signal);
      model.set(wish.key, expected);
    } finally {
      await draft.abort();
    }
  });
}

async function applyEdit(
  { from, to, seed }: Edit,
  expected: Uint8Array,
  draft: ImageDraft,
  signal: AbortSignal,
): Promise<void> {
  const [start = 0, end = 0] = [from, to]
    .map((n) => Math.round((n * expected.length) / 1000))
    .toSorted((a, b) => a - b);
  const range = expected.subarray(start, end);
  range.fill(seed === 0 ? 0 : seed * 31 + (start & 7));
  if (seed === 0) await draft.zero(start, range.length, signal);
  else await draft.write(start, Uint8Array.from(range), signal);
}

function readCommand(k: string, signal: AbortSignal): Command {
  return command(`read ${k}`, async (model, store) => {
    const expected = model.get(k);
    if (expected === undefined) await assertRejects(() => store.open(k, { signal }), ObjectNotFoundError, `open ${k}`);
    else assertSameBytes(await contentOf(store, k, signal), expected, `content of ${k}`);
  });
}

function deleteCommand(k: string, signal: AbortSignal): Command {
  return command(`delete ${k}`, async (model, store) => {
    await store.delete(k, { signal });
    model.delete(k);
  });
}

function listCommand(prefix: string, signal: AbortSignal): Command {
  return command(`list "${prefix}"`, async (model, store) => {
    const keys = [...model.keys()].filter((k) => k.startsWith(prefix)).toSorted();
    const expected = keys.map((k) => [k, model.get(k)?.length]);
    assertSame(await imagesOf(store, prefix, signal), expected, `list "${prefix}"`);
  });
}
