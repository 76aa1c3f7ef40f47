import { IntegrityError, ObjectNotFoundError, CodecError, inLanes } from "@ovault/contract";
import { copyChunk } from "../repository/copy-chunk.ts";
import type { ChunkWriter } from "../repository/chunks/chunk-writer.ts";
import type { PackListing } from "../repository/packs/pack-listing.ts";
import { packKey } from "../format/layout.ts";
import type { PackEntry } from "../repository/packs/pack-entries.ts";
import { readPackListing } from "../repository/packs/read-pack-listing.ts";
import type { Repository } from "../repository/repository.ts";

export interface RescueOptions {
  /** Bytes of the packs in the store, by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Puts nothing. */
  readonly dryRun: boolean;
  /** Chunks in flight. */
  readonly lanes: number;
  readonly signal: AbortSignal;
}

/**
 * Stores chunks again that lie in packs under wrong names, to which the index does not lead, unless another pack is
 * known to hold them. `names`: packs that do not hold what they should. Answers the number of chunks.
 */
export async function rescueChunks(
  repository: Repository,
  names: Iterable<string>,
  options: RescueOptions,
): Promise<number> {
  const writer = repository.writer(options.signal);
  let rescued = 0;
  try {
    for (const name of names) {
      const listing = await misplacedPack(repository, name, options);
      if (listing !== undefined) rescued += await rescueFrom(repository, listing, writer, options);
    }
    await writer.finish();
  } finally {
    await writer.idle();
  }
  return rescued;
}

/** The content of a misplaced pack; undefined when it is what the index lists, or unreadable. */
async function misplacedPack(
  { store, protection, index }: Repository,
  name: string,
  { sizes, signal }: RescueOptions,
): Promise<PackListing | undefined> {
  const bytes = sizes.get(name);
  if (bytes === undefined) return undefined;
  try {
    const listing = await readPackListing(store, protection, { key: packKey(name), bytes }, signal);
    return index.lists(listing) ? undefined : listing;
  } catch (error) {
    if (error instanceof IntegrityError || error instanceof ObjectNotFoundError) return undefined;
    throw error;
  }
}

async function rescueFrom(
  repository: Repository,
  listing: PackListing,
  writer: ChunkWriter,
  { dryRun, lanes, signal }: RescueOptions,
): Promise<number> {
  const { index } = repository;
  const { name, kind } = listing;
  const hidden = [...listing.entries].filter(({ id }) => !index.has(id));
  if (dryRun && hidden.length > 0) {
    // From now on this process treats its chunks as stored again.
    index.drop([name]);
    index.add(listing);
    return hidden.length;
  }
  let rescued = 0;
  const rescue = async (entry: PackEntry, lane: AbortSignal): Promise<void> => {
    try {
      await copyChunk(repository, { entry, kind, name }, writer, lane);
      rescued += 1;
    } catch (error) {
      if (error instanceof CodecError || !(error instanceof IntegrityError)) throw error;
    }
  };
  await inLanes(hidden, lanes, rescue, signal);
  return rescued;
}
