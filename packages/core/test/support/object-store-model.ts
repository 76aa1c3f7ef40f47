import * as fc from "fast-check";
import { expect } from "vitest";

import { type ObjectInfo, ObjectNotFoundError, type ObjectStore } from "@ovault/core";

import { listed } from "./listed.ts";

type Model = Map<string, Uint8Array>;
type Command = fc.AsyncCommand<Model, ObjectStore>;

const signal = new AbortController().signal;

/** No key lies below another. */
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

/** Random walks through the calls of a store, to be compared with a map. */
export function storeCommands(): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, ObjectStore>>> {
  return fc.commands(
    [
      fc.tuple(key, parts, fc.boolean()).map(([k, p, ifAbsent]) => putCommand(k, p, ifAbsent)),
      fc.tuple(key, fc.nat(1000), fc.nat(1000)).map(([k, from, to]) => rangeCommand(k, from, to)),
      key.map((k) => getCommand(k)),
      key.map((k) => deleteCommand(k)),
      prefix.map((p) => listCommand(p)),
    ],
    { maxCommands: 25 },
  );
}

function command(text: string, run: (model: Model, store: ObjectStore) => Promise<void>): Command {
  return { check: () => true, run, toString: () => text };
}

function putCommand(k: string, p: readonly Uint8Array[], ifAbsent: boolean): Command {
  return command(`put ${k} [${p.map((part) => part.length).join()}] ifAbsent=${ifAbsent}`, async (model, store) => {
    const exists = ifAbsent && model.has(k);
    expect(await store.put(k, p, { ifAbsent, signal })).toBe(exists ? "exists" : "stored");
    if (!exists) model.set(k, Buffer.concat(p));
  });
}

function getCommand(k: string): Command {
  return command(`get ${k}`, async (model, store) => {
    const expected = model.get(k);
    if (expected === undefined) {
      await expect(store.get(k, { signal })).rejects.toBeInstanceOf(ObjectNotFoundError);
      await expect(store.stat(k, { signal })).rejects.toBeInstanceOf(ObjectNotFoundError);
    } else {
      expect(Buffer.compare(await store.get(k, { signal }), expected)).toBe(0);
      expect(await store.stat(k, { signal })).toEqual({ key: k, bytes: expected.length });
    }
  });
}

/** The numbers are scaled to the object, so that ranges fall in it. */
function rangeCommand(k: string, from: number, to: number): Command {
  return command(`get ${k} from ${from} to ${to} thousandths`, async (model, store) => {
    const object = model.get(k);
    if (object === undefined) return;
    const [offset, end] = [from, to].map((n) => Math.round((n * object.length) / 1000)).toSorted((a, b) => a - b);
    if (offset === undefined || end === undefined) return;
    const found = await store.get(k, { range: { offset, length: end - offset }, signal });
    expect(Buffer.compare(found, object.subarray(offset, end))).toBe(0);
  });
}

function deleteCommand(k: string): Command {
  return command(`delete ${k}`, async (model, store) => {
    await store.delete(k, { signal });
    model.delete(k);
  });
}

function listCommand(p: string): Command {
  return command(`list ${p}`, async (model, store) => {
    const expected = [...model]
      .filter(([k]) => k.startsWith(p))
      .map(([k, object]): ObjectInfo => ({ key: k, bytes: object.length }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
    expect(await listed(store, p)).toEqual(expected);
  });
}
