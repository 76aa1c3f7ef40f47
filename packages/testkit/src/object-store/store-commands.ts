import * as fc from "fast-check";

import { ObjectNotFoundError, type ObjectStore } from "@ovault/contract";

import { assertRejects, assertSame, assertSameBytes } from "../assertions.ts";
import { listed } from "../stores/listed.ts";

type Model = Map<string, Uint8Array>;
type Command = fc.AsyncCommand<Model, ObjectStore>;

/** No key is a folder of another. */
const key = fc.constantFrom(
  "one",
  "packs/00/a",
  "packs/00/b",
  "packs/01/a",
  "packs.old",
  "points/x-1",
  "points/x_2.json",
);
const prefix = fc.constantFrom("", "packs/", "packs/00/", "points/", "none/");
const parts = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 4 });

/** Random sequences of store calls, to compare with a map. */
export function storeCommands(signal: AbortSignal): fc.Arbitrary<Iterable<Command>> {
  return fc.commands(
    [
      fc.tuple(key, parts, fc.boolean()).map(([k, p, ifAbsent]) => putCommand(k, p, ifAbsent, signal)),
      fc.tuple(key, fc.nat(1000), fc.nat(1000)).map(([k, from, to]) => rangeCommand(k, [from, to], signal)),
      key.map((k) => getCommand(k, signal)),
      key.map((k) => deleteCommand(k, signal)),
      prefix.map((p) => listCommand(p, signal)),
    ],
    { maxCommands: 25 },
  );
}

function command(text: string, run: (model: Model, store: ObjectStore) => Promise<void>): Command {
  return { check: () => true, run, toString: () => text };
}

function putCommand(k: string, p: readonly Uint8Array[], ifAbsent: boolean, signal: AbortSignal): Command {
  const text = `put ${k} [${p.map((part) => part.length).join()}] ifAbsent=${ifAbsent}`;
  return command(text, async (model, store) => {
    const exists = ifAbsent && model.has(k);
    assertSame(await store.put(k, p, { ifAbsent, signal }), exists ? "exists" : "stored", text);
    if (!exists) model.set(k, Buffer.concat(p));
  });
}

function getCommand(k: string, signal: AbortSignal): Command {
  return command(`get ${k}`, async (model, store) => {
    const expected = model.get(k);
    if (expected === undefined) {
      await assertRejects(() => store.get(k, { signal }), ObjectNotFoundError, `get ${k}`);
      await assertRejects(() => store.stat(k, { signal }), ObjectNotFoundError, `stat ${k}`);
    } else {
      assertSameBytes(await store.get(k, { signal }), expected, `get ${k}`);
      assertSame((await store.stat(k, { signal })).bytes, expected.length, `bytes of ${k}`);
    }
  });
}

/** Scales the numbers to the object, so that ranges lie in it. */
function rangeCommand(k: string, ends: readonly [number, number], signal: AbortSignal): Command {
  const text = `get ${k} between ${ends.join(" and ")} thousandths`;
  return command(text, async (model, store) => {
    const object = model.get(k);
    if (object === undefined) return;
    const [offset = 0, end = 0] = ends.map((n) => Math.round((n * object.length) / 1000)).toSorted((a, b) => a - b);
    const found = await store.get(k, { range: { offset, length: end - offset }, signal });
    assertSameBytes(found, object.subarray(offset, end), text);
  });
}

function deleteCommand(k: string, signal: AbortSignal): Command {
  return command(`delete ${k}`, async (model, store) => {
    await store.delete(k, { signal });
    model.delete(k);
  });
}

function listCommand(p: string, signal: AbortSignal): Command {
  return command(`list ${p}`, async (model, store) => {
    const keys = [...model.keys()].filter((k) => k.startsWith(p)).toSorted();
    const found = (await listed(store, p, signal)).map((info) => [info.key, info.bytes]);
    assertSame(
      found,
      keys.map((k) => [k, model.get(k)?.length]),
      `list "${p}"`,
    );
  });
}
