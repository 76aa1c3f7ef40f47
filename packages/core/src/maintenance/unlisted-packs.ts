import { IntegrityError, ObjectNotFoundError } from "@ovault/contract";
import type { PackListing } from "../repository/packs/pack-listing.ts";
import { packKey } from "../format/layout.ts";
import { readPackListing } from "../repository/packs/read-pack-listing.ts";
import type { Repository } from "../repository/repository.ts";
import type { PackSurvey } from "./pack-survey.ts";
import type { PackUse } from "./pack-use.ts";

/** The needed packs that no index object lists, by their own directories. */
export async function* unlistedPacks(
  { store, protection, index }: Repository,
  { survey, use }: { readonly survey: PackSurvey; readonly use: PackUse },
  signal: AbortSignal,
): AsyncGenerator<PackListing> {
  for (let pack = 0; pack < index.packs.length; pack += 1) {
    if (!survey.unlisted.has(pack) || index.packs.isGone(pack) || use.keptOf(pack) === 0) continue;
    const info = { key: packKey(index.packs.nameOf(pack)), bytes: survey.bytesOf(pack) };
    try {
      yield await readPackListing(store, protection, info, signal);
    } catch (error) {
      // Its directory was readable a moment ago; readers that need the pack find what is left of it.
      if (!(error instanceof IntegrityError) && !(error instanceof ObjectNotFoundError)) throw error;
    }
  }
}
