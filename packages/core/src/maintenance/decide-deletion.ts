import { lastValueFrom, reduce } from "rxjs";

import { IntegrityError, ObjectNotFoundError, inLanes } from "@ovault/contract";
import { MisplacedPackError } from "../format/misplaced-pack-error.ts";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import type { CondemnedDocument, Verdict } from "../repository/packs/condemned-packs.ts";
import type { ChunkId } from "../format/digest.ts";
import type { PackListing } from "../repository/packs/pack-listing.ts";
import { packKey } from "../format/layout.ts";
import type { PackEntry } from "../repository/packs/pack-entries.ts";
import { readPackListing } from "../repository/packs/read-pack-listing.ts";
import type { Repository } from "../repository/repository.ts";
import { BitSet } from "../util/bit-set.ts";
import type { Liveness } from "./liveness.ts";
import type { PackSurvey } from "./pack-survey.ts";

export interface VerdictOptions {
  readonly survey: PackSurvey;
  /** What all points need, except those deleted with the document. */
  readonly live: Liveness;
  readonly onProved: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Chunks in flight. */
const LANES = 4;

/** The packs of a condemned document that may be deleted, and findings about the rest. Names of packs. */
export interface PacksToGo {
  readonly going: Verdict["packs"];
  /** Packs under wrong names whose content is needed or unknown. */
  readonly misplaced: readonly string[];
}

/**
 * Finds the packs of a condemned document that may be deleted: every needed chunk in them is also in a pack that is not
 * condemned, and that was read and proved just now. A pack's content is what the index and its own directory list
 * together: packs may have been exchanged.
 */
export async function packsThatMayGo(
  repository: Repository,
  document: CondemnedDocument,
  options: VerdictOptions,
): Promise<PacksToGo> {
  const { index } = repository;
  const condemned = new BitSet();
  for (const name of document.packs) {
    const pack = index.packs.numberOf(name);
    if (pack !== undefined && options.survey.bytesOf(pack) > 0) condemned.add(pack);
  }
  const { needed, copied } = sortOut(repository, condemned, options);
  const proofs = new Map<number, boolean>();
  const going = new Set<string>();
  const misplaced: string[] = [];
  const decide = async (name: string, lane: AbortSignal): Promise<void> => {
    const pack = index.packs.numberOf(name);
    // A missing pack is gone already, and the content of an unindexed pack is unknown.
    if (pack === undefined || !condemned.has(pack) || needed.has(pack)) return;
    const content = await contentOf(repository, pack, { ...options, signal: lane });
    const mayGo =
      content === "damaged"
        ? !copied.has(pack)
        : typeof content !== "string" &&
          (await areCopiesGood(repository, content, proofs, { ...options, signal: lane }));
    if (mayGo) going.add(name);
    else if (content === "misplaced" || (typeof content !== "string" && !index.lists(content))) misplaced.push(name);
  };
  await inLanes(document.packs, LANES, decide, options.signal);
  return { going: document.packs.filter((name) => going.has(name)), misplaced: misplaced.toSorted() };
}

/**
 * Its content by its own directory. `damaged`: only the index lists what was in it. `misplaced`: it is intact, but
 * sealed for another name.
 */
async function contentOf(
  { store, protection, index }: Repository,
  pack: number,
  { survey, signal }: VerdictOptions,
): Promise<PackListing | "gone" | "damaged" | "misplaced"> {
  const info = { key: packKey(index.packs.nameOf(pack)), bytes: survey.bytesOf(pack) };
  try {
    return await readPackListing(store, protection, info, signal);
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return "gone";
    if (!(error instanceof IntegrityError)) throw error;
    return error instanceof MisplacedPackError ? "misplaced" : "damaged";
  }
}

/** Packs holding the only copy of a live chunk, and packs whose live chunks all have another copy. */
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
 * Reads the other copy of every needed chunk of a pack: no copy is given up for an unproved one.
 * @param proofs by chunk, shared by packs that hold the same
 */
async function areCopiesGood(
  repository: Repository,
  { entries }: PackListing,
  proofs: Map<number, boolean>,
  { live, onProved, signal }: VerdictOptions,
): Promise<boolean> {
  const { index } = repository;
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
  return await lastValueFrom(pullInLanes(entries, LANES, prove, signal).pipe(reduce((all, one) => all && one, true)));
}

async function hasGoodPlace({ index, chunks }: Repository, id: ChunkId, signal: AbortSignal): Promise<boolean> {
  for (const place of index.find(id)) {
    if (place.pack.state !== "usable") continue;
    try {
      await chunks.loadFrom(place, id, signal);
      return true;
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      index.markBad(id, place.pack.name);
    }
  }
  return false;
}
