import { type ObjectInfo, IntegrityError, ObjectNotFoundError, inLanes } from "@ovault/contract";
import type { PackListing } from "../repository/packs/pack-listing.ts";
import { indexObjects } from "../repository/index/index-objects.ts";
import { IndexWriter } from "../repository/index/index-writer.ts";
import type { DamagedObject } from "../format/damaged-object.ts";
import { TRAILER_BYTES } from "../repository/packs/pack-format.ts";
import { readPackListing } from "../repository/packs/read-pack-listing.ts";
import type { Repository } from "../repository/repository.ts";
import { packInfos } from "../verify/list-packs.ts";

export interface ListPacksOptions {
  /** Puts nothing. */
  readonly dryRun?: boolean;
  /** Packs read at once. */
  readonly lanes: number;
  readonly signal: AbortSignal;
}

/** What the index objects of a store list, compared with the packs that exist. */
export interface IndexSurvey {
  readonly damaged: readonly DamagedObject[];
  /** Names of all packs that they list. */
  readonly listed: ReadonlySet<string>;
  /** Listed packs that are missing or have another size than they must have. */
  readonly suspects: ReadonlySet<string>;
}

/** `packs`: bytes of the packs in the store, by name. */
export async function surveyIndex(
  { store, protection }: Repository,
  packs: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<IndexSurvey> {
  const damaged: DamagedObject[] = [];
  const listed = new Set<string>();
  const suspects = new Set<string>();
  for await (const object of indexObjects(store, signal)) {
    if (object.packs === undefined) damaged.push(object);
    for (const { name, dataEnd, entries } of object.packs ?? []) {
      listed.add(name);
      const { overheadBytes } = protection.packSeal(name);
      const expected = dataEnd + entries.bytes.byteLength + overheadBytes + TRAILER_BYTES;
      if (packs.get(name) !== expected) suspects.add(name);
    }
  }
  return { damaged, listed, suspects };
}

export interface ListedPacks {
  /** Packs in index objects now. */
  readonly count: number;
  /** Packs with a damaged directory. */
  readonly unclear: readonly DamagedObject[];
}

/** Lists packs in index objects by their own directories. `packs`: bytes by name. */
export async function listPacksAnew(
  { store, protection }: Repository,
  packs: Iterable<readonly [name: string, bytes: number]>,
  { dryRun = false, lanes, signal }: ListPacksOptions,
): Promise<ListedPacks> {
  const unclear: DamagedObject[] = [];
  const writer = new IndexWriter({ store, signal });
  let count = 0;
  const list = async (pack: ObjectInfo, lane: AbortSignal): Promise<void> => {
    let listing: PackListing;
    try {
      listing = await readPackListing(store, protection, pack, lane);
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return; // pruned meanwhile
      if (!(error instanceof IntegrityError)) throw error;
      unclear.push({ key: pack.key, error });
      return;
    }
    count += 1;
    if (!dryRun) await writer.add(listing);
  };
  await inLanes(packInfos(packs), lanes, list, signal);
  await writer.finish();
  return { count, unclear };
}
