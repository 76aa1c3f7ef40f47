import { createCipheriv } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import type { ObjectStore } from "@ovault/contract";
import { Repository } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";

import { encodeIndex } from "@ovault/core/internal/repository/index/index-format";
import type { PackListing } from "@ovault/core/internal/repository/packs/pack-listing";
import { indexKey } from "@ovault/core/internal/format/layout";
import {
  CODEC_AT,
  ENTRY_BYTES,
  HEADER_BYTES,
  OFFSET_AT,
  PackEntries,
  PLAIN_BYTES_AT,
  STORED_BYTES_AT,
} from "@ovault/core/internal/repository/packs/pack-entries";
import { workDirectory } from "./work-directory.ts";

const MIB = 2 ** 20;
/** 1 TiB in blocks of 1 MiB. */
const CHUNKS_A_TIB = 2 ** 20;
const CHUNKS_AN_OBJECT = 2 ** 16;
/** Incompressible blocks: the most packs for their number. */
const CHUNKS_A_PACK = 16;
const ID_BYTES = 32;
const NAME_BYTES = 16;

const { signal } = new AbortController();

/** A repository with an index, but no packs, for `tib` TiB of unique data. Made once; always the same. */
export async function indexRepository(tib: number): Promise<string> {
  const directory = join(workDirectory, `index-${tib}-tib`);
  if (existsSync(directory)) return directory;
  const draft = `${directory}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  const store = await FilesystemStore.open(draft);
  await (await Repository.create(store, { signal })).close();
  for (let object = 0; object < objectsFor(tib); object += 1) await putIndexObject(store, object);
  await rename(draft, directory);
  return directory;
}

export function objectsFor(tib: number): number {
  return (tib * CHUNKS_A_TIB) / CHUNKS_AN_OBJECT;
}

/** Ids of the chunks that an index object lists, 32 bytes each, as uniform as digests are. */
export function idsOf(object: number): Uint8Array {
  return randomBytes(object, CHUNKS_AN_OBJECT * ID_BYTES);
}

async function putIndexObject(store: ObjectStore, object: number): Promise<void> {
  const ids = idsOf(object);
  const packs = CHUNKS_AN_OBJECT / CHUNKS_A_PACK;
  const names = randomBytes(-1 - object, (packs + 1) * NAME_BYTES);
  const nameAt = (at: number): string => names.toString("hex", at * NAME_BYTES, (at + 1) * NAME_BYTES);
  const idBytes = CHUNKS_A_PACK * ID_BYTES;
  const listings = Array.from({ length: packs }, (_, pack) =>
    listingOf(nameAt(pack), ids.subarray(pack * idBytes, (pack + 1) * idBytes)),
  );
  await store.put(indexKey(nameAt(packs)), [await encodeIndex(listings)], { ifAbsent: true, signal });
}

function listingOf(name: string, ids: Uint8Array): PackListing {
  const dataEnd = HEADER_BYTES + CHUNKS_A_PACK * MIB;
  const bytes = Buffer.alloc(CHUNKS_A_PACK * ENTRY_BYTES);
  for (let chunk = 0; chunk < CHUNKS_A_PACK; chunk += 1) {
    const at = chunk * ENTRY_BYTES;
    bytes.set(ids.subarray(chunk * ID_BYTES, (chunk + 1) * ID_BYTES), at);
    bytes.writeUInt32LE(HEADER_BYTES + chunk * MIB, at + OFFSET_AT);
    bytes.writeUInt32LE(MIB, at + STORED_BYTES_AT);
    bytes.writeUInt32LE(MIB, at + PLAIN_BYTES_AT);
    bytes.writeUInt8(0, at + CODEC_AT);
  }
  return { name, kind: "data", dataEnd, entries: PackEntries.parse(bytes, dataEnd, name) };
}

/** The same for the same seed. */
function randomBytes(seed: number, length: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeInt32LE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
