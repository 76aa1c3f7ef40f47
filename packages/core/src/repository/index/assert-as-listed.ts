import { MisplacedPackError } from "../../format/misplaced-pack-error.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { PackListing } from "../packs/pack-listing.ts";
import { packKey } from "../../format/layout.ts";

/**
 * Nothing in a pack in the clear says its name, so what its own directory lists is compared with what the index lists under
 * this name.
 * @param places how many chunks the index lists in it; undefined when that was not counted
 * @throws MisplacedPackError unless they are the same
 */
export function assertAsListed(index: ChunkIndex, listing: PackListing, places: number | undefined): void {
  const { name, entries } = listing;
  if (index.lists(listing) && (places === undefined || places === entries.length)) return;
  const key = packKey(name);
  throw new MisplacedPackError(`${key} is another pack than the index lists under this name`, { context: { key } });
}
