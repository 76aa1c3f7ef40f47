import { lastValueFrom, reduce } from "rxjs";

import { hasCode } from "../errors/ovault-error.ts";
import { pullInLanes } from "../pipeline/pull-in-lanes.ts";
import type { CondemnedDocument, Verdict } from "../repository/condemned-packs.ts";
import type { ChunkId } from "../repository/digest.ts";
import { packKey } from "../repository/layout.ts";
import type { PackEntry } from "../repository/pack-entries.ts";
import { readPackListing } from "../repository/pack-listing.ts";
import type { Repository } from "../repository/repository.ts";
import { BitSet } from "../util/bit-set.ts";
import type { Liveness } from "./liveness.ts";
import type { PackSurvey } from "./pack-survey.ts";

export interface VerdictOptions {
  readonly survey: PackSurvey;
  /** What all points need but those that go with the document. */
  readonly live: Liveness;
  readonly onProved: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Chunks in flight. */
const LANES = 4;

/**
 * Finds the packs of a condemned document that may go: those in which nothing is needed that is not in another pack too,
 * one that is not condemned, and that was read and proved just now.
 */
export async function packsThatMayGo(
  repository: Repository,
  document: CondemnedDocument,
  options: VerdictOptions,
): Promise<Verdict["packs"]> {
  const { index } = repository;
  const condemned = new BitSet();
  for (const name of document.packs) {
    const pack = index.packs.numberOf(name);
    if (pack !== undefined && options.survey.bytesOf(pack) > 0) condemned.add(pack);
  }
  const { needed, copied } = sortOut(repository, condemned, options);
  const proofs = new Map<number, boolean>();
  const going: string[] = [];
  for (const name of document.packs) {
    const pack = index.packs.numberOf(name);
    // One that is not there is gone already, and of one that the index does not know nobody knows what it holds.
    if (pack === undefined || !condemned.has(pack) || needed.has(pack)) continue;
    if (!copied.has(pack) || (await areCopiesGood(repository, pack, proofs, options))) going.push(name);
  }
  return going;
}

/** By pack: holds something that is needed and nowhere else; or something that is needed and elsewhere too. */
function sortOut(
  { index }: Repository,
  condemned: BitSet,
  { live }: VerdictOptions,
): { readonly needed: BitSet; readonly copied: BitSet } {
  const kept = new BitSet();
  index.forEachPlace((entry, pack, _bytes, isBad) => {
    if (!isBad && index.packs.isUsable(pack)) kept.add(entry);
  });
  const needed = new BitSet();
  const copied = new BitSet();
  index.forEachPlace((entry, pack) => {
    if (condemned.has(pack) && live.has(entry)) (kept.has(entry) ? copied : needed).add(pack);
  });
  return { needed, copied };
}

/**
 * Reads the other place of every chunk that is needed: no copy is given up for one that nobody has looked at.
 * @param proofs by chunk, for packs that hold the same
 */
async function areCopiesGood(
  repository: Repository,
  pack: number,
  proofs: Map<number, boolean>,
  { survey, live, onProved, signal }: VerdictOptions,
): Promise<boolean> {
  const { store, protection, index } = repository;
  const info = { key: packKey(index.packs.nameOf(pack)), bytes: survey.bytesOf(pack) };
  const prove = async ({ id, storedBytes }: PackEntry, lane: AbortSignal): Promise<boolean> => {
    const entry = index.entryOf(id);
    if (entry === undefined || !live.has(entry)) return true;
    const known = proofs.get(entry);
    if (known !== undefined) return known;
    const isGood = await hasGoodPlace(repository, id, lane);
    proofs.set(entry, isGood);
    onProved(storedBytes);
    return isGood;
  };
  try {
    const { entries } = await readPackListing(store, protection, info, signal);
    return await lastValueFrom(pullInLanes(entries, LANES, prove, signal).pipe(reduce((all, one) => all && one, true)));
  } catch (error) {
    if (hasCode(error, "E_INTEGRITY") || hasCode(error, "E_OBJECT_NOT_FOUND")) return false;
    throw error;
  }
}

async function hasGoodPlace({ index, chunks }: Repository, id: ChunkId, signal: AbortSignal): Promise<boolean> {
  for (const place of index.find(id)) {
    if (place.pack.state !== "usable") continue;
    try {
      await chunks.loadFrom(place, id, signal);
      return true;
    } catch (error) {
      if (!hasCode(error, "E_INTEGRITY")) throw error;
      index.markBad(id, place.pack.name);
    }
  }
  return false;
}
