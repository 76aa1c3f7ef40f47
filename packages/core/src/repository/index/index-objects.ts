import { type ObjectStore, IntegrityError, ObjectNotFoundError } from "@ovault/contract";
import type { PackListing } from "../packs/pack-listing.ts";
import { INDEX, isIndexKey } from "../../format/layout.ts";
import { readIndexObject } from "./load-index.ts";
import type { DamagedObject } from "../../format/damaged-object.ts";

/** What one index object lists, or why it cannot be read. */
export type IndexObject =
  { readonly key: string; readonly packs: Iterable<PackListing> } | (DamagedObject & { readonly packs?: undefined });

/** Reads the index objects one by one: for callers that need what the index in memory does not keep. */
export async function* indexObjects(store: ObjectStore, signal: AbortSignal): AsyncGenerator<IndexObject> {
  for await (const info of store.list(INDEX, { signal })) {
    const { key } = info;
    if (!isIndexKey(key)) continue;
    try {
      yield { key, packs: await readIndexObject(store, info, signal) };
    } catch (error) {
      if (error instanceof ObjectNotFoundError) continue; // replaced since the listing
      if (!(error instanceof IntegrityError)) throw error;
      yield { key, error };
    }
  }
}
