import { randomBytes } from "node:crypto";

import { type GetOptions, type ObjectInfo, type ObjectKey, type ObjectStore, IntegrityError } from "@ovault/contract";
import { KEYS, PACKS, REPOSITORY_KEY } from "../format/layout.ts";
import { delegate } from "../store/around-calls.ts";
import { seal, TAG_BYTES, unseal } from "../blocks/aes-gcm.ts";
import type { RepositoryKey } from "./repository-key.ts";

const MAGIC = "OVAULTSD";
const VERSION = 1;
const HEADER_BYTES = 16;
const SALT_BYTES = 32;
const PREFIX_BYTES = HEADER_BYTES + SALT_BYTES;
const OVERHEAD_BYTES = PREFIX_BYTES + TAG_BYTES;
const PURPOSE = "document";
const HEADER = Buffer.alloc(HEADER_BYTES);
HEADER.write(MAGIC, "latin1");
HEADER.writeUInt8(VERSION, MAGIC.length);

/**
 * A store in which every object is sealed whole, by its own key and for its own place: one that was changed, moved or
 * exchanged is an IntegrityError. Packs seal themselves, and what is needed to find the key is not sealed.
 */
export function sealedDocuments(store: ObjectStore, key: RepositoryKey): ObjectStore {
  return {
    ...delegate(store),
    async put(name, parts, options) {
      return await store.put(name, liesOpen(name) ? parts : await sealed(key, name, parts), options);
    },
    async get(name, options) {
      if (liesOpen(name)) return await store.get(name, options);
      return rangeOf(await opened(key, name, await store.get(name, { signal: options.signal })), name, options);
    },
    async stat(name, options) {
      return inside(await store.stat(name, options));
    },
    async *list(prefix, options) {
      for await (const info of store.list(prefix, options)) yield inside(info);
    },
  };
}

function liesOpen(name: ObjectKey): boolean {
  return name === REPOSITORY_KEY || name.startsWith(KEYS) || name.startsWith(PACKS);
}

/** The object with the size of its content before sealing. */
function inside({ key, bytes }: ObjectInfo): ObjectInfo {
  return { key, bytes: liesOpen(key) ? bytes : Math.max(0, bytes - OVERHEAD_BYTES) };
}

async function sealed(key: RepositoryKey, name: ObjectKey, parts: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const salt = randomBytes(SALT_BYTES);
  const body = seal(key.sealingKey(PURPOSE, salt), { proves: placeOf(name) }, Buffer.concat(parts));
  return [HEADER, salt, body];
}

async function opened(key: RepositoryKey, name: ObjectKey, object: Uint8Array): Promise<Uint8Array> {
  const begins = object.byteLength >= OVERHEAD_BYTES && HEADER.equals(object.subarray(0, HEADER_BYTES));
  if (!begins) throw new IntegrityError(`${name} is not sealed, or cut short`, { context: { key: name } });
  const salt = object.subarray(HEADER_BYTES, PREFIX_BYTES);
  const body = unseal(key.sealingKey(PURPOSE, salt), { proves: placeOf(name) }, object.subarray(PREFIX_BYTES));
  if (body !== undefined) return body;
  throw new IntegrityError(`${name} is damaged, or was changed or moved without the key`, {
    context: { key: name },
  });
}

function placeOf(name: ObjectKey): Uint8Array {
  return Buffer.concat([HEADER, Buffer.from(name, "utf8")]);
}

function rangeOf(body: Uint8Array, name: ObjectKey, { range }: GetOptions): Uint8Array {
  if (range === undefined) return body;
  const end = range.offset + range.length;
  if (end <= body.byteLength) return body.subarray(range.offset, end);
  throw new IntegrityError(`${name} ends at byte ${body.byteLength}, before ${end}`, { context: { key: name } });
}
