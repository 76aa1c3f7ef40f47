import { MisplacedPackError } from "../../format/misplaced-pack-error.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { PackListing } from "../packs/pack-listing.ts";
import { packKey } from "../../format/layout.ts";

/**
 * A plain pack does not contain its name, so this compares what its own directory lists with what the index lists under
 * its name.
 * @param places how many chunks the index lists in it; undefined when they were not counted
 * @throws MisplacedPackError unless they are the same
 */
export function assertAsListed(index: ChunkIndex, listing: PackListing, places: number | undefined): void {
  const { name, entries } = listing;
  if (index.lists(listing) && (places === undefined || places === entries.length)) return;
  const key = packKey(name);
  throw new MisplacedPackError(`${key} is another pack than the index lists under this name`, { context: { key } });
}
