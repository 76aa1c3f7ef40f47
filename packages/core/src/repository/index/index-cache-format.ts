import type { FileHandle } from "node:fs/promises";
import { endianness } from "node:os";

import { z } from "zod";

import { copyOf, inLanes, IntegrityError } from "@ovault/contract";
import { ChunkIndex } from "./chunk-index.ts";
import { digest } from "../../format/digest.ts";
import { decodeDocument, encodeDocument } from "../../format/document.ts";
import { LoadedIndex } from "./loaded-index.ts";
import type { Memory } from "../packs/pack-table.ts";

/** What a process knows of the index objects of a repository. */
export interface KnownIndex {
  readonly index: ChunkIndex;
  readonly loaded: LoadedIndex;
}

const TYPE = "index-cache";
/** To be raised with every change to the arrays of the index. */
const VERSION = 1;
/** The last bytes: length of the document before them. */
const TAIL_BYTES = 4;
const MAX_DOCUMENT_BYTES = 256 * 1024 * 1024;
const PART_BYTES = 4 * 1024 * 1024;
const LANES = 4;

const count = z.int().nonnegative();
const schema = z.object({
  /** Id of the repository. */
  repository: z.string(),
  /** The arrays have the byte order of the machine that wrote them. */
  endianness: z.enum(["BE", "LE"]),
  shape: z.object({ size: count, slots: count, packs: z.object({ length: count, slots: count }) }),
  /** Keys of index objects, each with the number of packs that it lists. */
  objects: z.array(z.tuple([z.string(), count])),
  /** Hex; SHA-256 over the SHA-256 of every part. */
  proof: z.string(),
});

type Description = z.infer<typeof schema>;

/** A section of the file and the memory it holds. */
interface Part {
  readonly number: number;
  /** Offset in the file. */
  readonly at: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Writes the index's arrays as they are and the packs that each index object lists, then a document that describes and
 * proves all this. Throws when the index changes meanwhile.
 */
export async function writeIndexCache(file: FileHandle, repository: string, known: KnownIndex): Promise<void> {
  const { index, loaded } = known;
  const { shape } = index;
  // Objects that list packs found gone by this process must be read again: the store may have them after all.
  const objects = [...loaded.objects].filter(([, packs]) => !packs.some((pack) => index.packs.isGone(pack)));
  const proofs: Uint8Array[] = [];
  for await (const { bytes } of partsOf([...index.memory(), concat(objects.map(([, packs]) => packs))])) {
    // A growing table frees its memory at once: no read of it may be in progress then.
    const part = copyOf(bytes);
    const [proof] = await Promise.all([digest(part), file.appendFile(part)]);
    proofs.push(proof);
  }
  if (index.packs.length !== shape.packs.length) throw new Error("the index was changed while it was written");
  const proof = await proofOf(proofs);
  const counts = objects.map(([key, packs]): [string, number] => [key, packs.length]);
  const description: Description = { repository, endianness: endianness(), shape, objects: counts, proof };
  const document = encodeDocument(TYPE, VERSION, description);
  const tail = Buffer.alloc(TAIL_BYTES);
  tail.writeUInt32LE(document.byteLength);
  await file.appendFile(Buffer.concat([document, tail]));
}

/** @throws IntegrityError unless it is intact, of this repository, and from a machine of the same byte order */
export async function readIndexCache(file: FileHandle, repository: string, signal: AbortSignal): Promise<KnownIndex> {
  const { contentBytes, description } = await readDescription(file);
  const { shape, objects, proof } = description;
  const packs = objects.reduce((sum, [, length]) => sum + length, 0);
  const fits = ChunkIndex.bytesOf(shape) + packs * Uint32Array.BYTES_PER_ELEMENT === contentBytes;
  if (!fits || description.repository !== repository || description.endianness !== endianness()) {
    throw new IntegrityError("the index cache is of another repository or machine");
  }
  const index = new ChunkIndex(shape);
  const listings = new Uint32Array(packs);
  const proofs: Uint8Array[] = [];
  const fill = async ({ number, at, bytes }: Part): Promise<void> => {
    await readInto(file, at, bytes);
    proofs[number] = await digest(bytes);
  };
  const parts = partsOf([...index.memory(), listings]);
  await inLanes(parts, LANES, fill, signal);
  if ((await proofOf(proofs)) !== proof) throw new IntegrityError("the index cache is damaged");
  return { index, loaded: loadedFrom(objects, listings) };
}

async function readDescription(file: FileHandle): Promise<{ contentBytes: number; description: Description }> {
  const { size } = await file.stat();
  const end = size - TAIL_BYTES;
  const tail = Buffer.alloc(TAIL_BYTES);
  if (end >= 0) await readInto(file, end, tail);
  const documentBytes = tail.readUInt32LE();
  if (documentBytes > Math.min(end, MAX_DOCUMENT_BYTES)) throw new IntegrityError("the index cache is cut short");
  const document = new Uint8Array(documentBytes);
  const contentBytes = end - documentBytes;
  await readInto(file, contentBytes, document);
  return { contentBytes, description: schema.parse(decodeDocument(TYPE, VERSION, document, "the index cache")) };
}

async function readInto(file: FileHandle, at: number, target: Uint8Array): Promise<void> {
  for (let done = 0; done < target.byteLength;) {
    const { bytesRead } = await file.read(target, done, target.byteLength - done, at + done);
    if (bytesRead === 0) throw new IntegrityError("the index cache is cut short");
    done += bytesRead;
  }
}

async function* partsOf(arrays: readonly Memory[]): AsyncGenerator<Part> {
  let number = 0;
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    for (let start = 0; start < byteLength; start += PART_BYTES) {
      const bytes = new Uint8Array(buffer, byteOffset + start, Math.min(PART_BYTES, byteLength - start));
      yield { number, at, bytes };
      number += 1;
      at += bytes.byteLength;
    }
  }
}

async function proofOf(proofs: readonly Uint8Array[]): Promise<string> {
  return Buffer.from(await digest(Buffer.concat(proofs))).toString("hex");
}

function concat(arrays: readonly Uint32Array[]): Uint32Array<ArrayBuffer> {
  const all = new Uint32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

function loadedFrom(objects: Description["objects"], listings: Uint32Array): LoadedIndex {
  const loaded = new LoadedIndex();
  let at = 0;
  for (const [key, length] of objects) {
    loaded.add(key, listings.subarray(at, at + length));
    at += length;
  }
  return loaded;
}
