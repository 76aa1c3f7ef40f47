import { type ObjectKey, ObjectNotFoundError, IntegrityError } from "@ovault/contract";
import type { PackListing } from "../repository/packs/pack-listing.ts";
import { IndexWriter } from "../repository/index/index-writer.ts";
import { INDEX } from "../format/layout.ts";
import { readIndexObject } from "../repository/index/load-index.ts";
import type { Repository } from "../repository/repository.ts";

export interface RewriteOptions {
  /** Names of packs to remove from all index objects. */
  readonly without: ReadonlySet<string>;
  /** Packs to list. */
  readonly added?: AsyncIterable<PackListing>;
  readonly signal: AbortSignal;
}

/** Every run leaves an index object, most of them far below the size limit. */
const SMALL_BYTES = 256 * 1024;
const MANY_SMALL = 16;

/**
 * Replaces index objects that list some packs by ones without them, and merges many small ones. Deletes old ones only
 * after all their remaining packs are listed again, so that interruptions and concurrent readers miss nothing.
 */
export async function rewriteIndex(repository: Repository, { without, added, signal }: RewriteOptions): Promise<void> {
  const { store } = repository;
  const old = await objectsToReplace(repository, without, signal);
  const writer = new IndexWriter({ store, signal });
  const seen = new Set<string>();
  const replaced: ObjectKey[] = [];
  const list = async (listing: PackListing): Promise<void> => {
    if (without.has(listing.name) || seen.has(listing.name)) return;
    seen.add(listing.name);
    await writer.add(listing);
  };
  for (const { key, bytes } of old) {
    try {
      for (const listing of await readIndexObject(store, { key, bytes }, signal)) await list(listing);
      replaced.push(key);
    } catch (error) {
      // Gone: a concurrent process was faster. Damaged: repair finds in packs what it lists.
      if (!(error instanceof ObjectNotFoundError) && !(error instanceof IntegrityError)) throw error;
    }
  }
  if (added !== undefined) for await (const listing of added) await list(listing);
  await writer.finish();
  for (const key of replaced) await store.delete(key, { signal });
  if (seen.size > 0 || replaced.length > 0) await repository.refresh(signal);
}

async function objectsToReplace(
  { store, index, listings }: Repository,
  without: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly { readonly key: ObjectKey; readonly bytes: number }[]> {
  const objects: { readonly key: ObjectKey; readonly bytes: number; readonly hasDead: boolean }[] = [];
  for await (const { key, bytes } of store.list(INDEX, { signal })) {
    const packs = listings.get(key) ?? new Uint32Array();
    objects.push({ key, bytes, hasDead: packs.some((pack) => without.has(index.packs.nameOf(pack))) });
  }
  const together = objects.filter(({ bytes }) => bytes < SMALL_BYTES).length >= MANY_SMALL;
  return objects.filter(({ bytes, hasDead }) => hasDead || (together && bytes < SMALL_BYTES));
}
