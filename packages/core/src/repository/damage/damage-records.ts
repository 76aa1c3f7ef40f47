import { z } from "zod";

import { type ObjectStore, copyOf } from "@ovault/contract";
import { fromHex } from "../../util/hex.ts";
import type { ChunkIndex } from "../index/chunk-index.ts";
import { DAMAGE } from "../../format/layout.ts";
import { putRecord, readRecords, type RecordKind, type RecordListing } from "../../format/records.ts";

/** Chunks (ids in hex) that a pack does not hold as it should, by the pack's name. */
export type BadPlaces = ReadonlyMap<string, ReadonlySet<string>>;

const schema = z.object({
  at: z.iso.datetime(),
  places: z.array(
    z.object({
      pack: z.string().regex(/^[0-9a-f]{32}$/),
      chunks: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
    }),
  ),
});

type DamageRecord = z.infer<typeof schema>;

const DAMAGE_RECORD: RecordKind<DamageRecord> = { prefix: DAMAGE, type: "damage", schema };

/** Limit per object: about 2 MiB. */
export const CHUNKS_A_RECORD = 32 * 1024;

/** Known damage, as the repository records it for every node. */
export interface KnownDamage extends RecordListing<DamageRecord> {
  readonly places: BadPlaces;
}

export async function readDamage(store: ObjectStore, signal: AbortSignal): Promise<KnownDamage> {
  const listing = await readRecords(store, DAMAGE_RECORD, signal);
  const places = new Map<string, Set<string>>();
  for (const { value } of listing.records) {
    for (const { pack, chunks } of value.places) {
      const known = places.get(pack) ?? new Set();
      for (const chunk of chunks) known.add(chunk);
      places.set(pack, known);
    }
  }
  return { ...listing, places };
}

export async function putDamage(store: ObjectStore, places: BadPlaces, signal: AbortSignal): Promise<void> {
  const at = new Date().toISOString();
  for (const part of partsOf(places)) await putRecord(store, DAMAGE_RECORD, { at, places: part }, signal);
}

/** Marks the known damage in the index. */
export function markDamage(index: ChunkIndex, places: BadPlaces): void {
  for (const [pack, chunks] of places) for (const chunk of chunks) index.markBad(copyOf(fromHex(chunk)), pack);
}

function* partsOf(places: BadPlaces): Generator<DamageRecord["places"]> {
  let part: DamageRecord["places"] = [];
  let room = CHUNKS_A_RECORD;
  for (const [pack, chunks] of places) {
    const left = [...chunks];
    while (left.length > 0) {
      const taken = left.splice(0, room);
      part.push({ pack, chunks: taken });
      room -= taken.length;
      if (room > 0) continue;
      yield part;
      part = [];
      room = CHUNKS_A_RECORD;
    }
  }
  if (part.length > 0) yield part;
}
