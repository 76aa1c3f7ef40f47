import { type ObjectInfo, ObjectNotFoundError, inLanes } from "@ovault/contract";
import { assertAsListed } from "../repository/index/assert-as-listed.ts";
import { packNameIn } from "../format/layout.ts";
import { readPackListing } from "../repository/packs/read-pack-listing.ts";
import { readRanges } from "../repository/chunks/read-ranges.ts";
import type { Repository } from "../repository/repository.ts";
import { failureOf } from "./damage.ts";
import type { PackFindings } from "./pack-findings.ts";
import type { ProvedChunks } from "./proved-chunks.ts";

/** Bytes of a pack read at once: large enough for a request, small enough to hold four in memory. */
const PIECE_BYTES = 4 * 1024 * 1024;

export interface ProvePacksOptions {
  readonly findings: PackFindings;
  readonly proved: ProvedChunks;
  /** Packs in flight; memory holds a piece of each. */
  readonly lanes: number;
  /** Called after each pack. */
  readonly onPack: (storedBytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Reads packs whole, piece by piece, proves their directories, decodes every chunk and compares it with its id. Answers
 * the names of packs that are missing, or whose directory is damaged or not what the index lists.
 */
export async function provePacks(
  repository: Repository,
  packs: AsyncIterable<ObjectInfo>,
  { findings, proved, lanes, onPack, signal }: ProvePacksOptions,
): Promise<ReadonlySet<string>> {
  const unclear = new Set<string>();
  const places = repository.index.countPlaces();
  const work = async (info: ObjectInfo, lane: AbortSignal): Promise<void> => {
    const name = packNameIn(info.key);
    if (name === undefined) return;
    try {
      const reason = await failureOf(() => provePack(repository, { info, name, findings, proved, places }, lane));
      if (reason !== undefined) findings.addDamage(reason);
      if (reason !== undefined) unclear.add(name);
      else onPack(info.bytes);
    } catch (error) {
      if (!(error instanceof ObjectNotFoundError)) throw error;
      unclear.add(name);
    }
  };
  await inLanes(packs, lanes, work, signal);
  return unclear;
}

interface PackToProve {
  readonly info: ObjectInfo;
  readonly name: string;
  readonly findings: PackFindings;
  readonly proved: ProvedChunks;
  /** How many chunks the index lists in each pack, by its number. */
  readonly places: Uint32Array;
}

/** @throws IntegrityError when the pack's directory is damaged, or not what the index lists */
async function provePack(
  { store, protection, chunks, index }: Repository,
  { info, name, findings, proved, places }: PackToProve,
  signal: AbortSignal,
): Promise<void> {
  const listing = await readPackListing(store, protection, info, signal);
  const { kind, entries } = listing;
  const pack = index.packs.numberOf(name);
  if (pack !== undefined) assertAsListed(index, listing, places[pack]);
  const placed = Array.from(entries, (entry) => ({ pack: name, entry }));
  for (const { offset, length, entries: near } of readRanges(placed, PIECE_BYTES)) {
    const stored = await store.get(info.key, { range: { offset, length }, signal });
    const answers = await chunks.unpacker.unpack({ pack: name, offset, stored }, near, "proof");
    for (const [number, { id, plainBytes }] of near.entries()) {
      if (answers[number]?.proved !== true) findings.addBad(name, id);
      else if (kind === "data") proved.add(id, plainBytes);
    }
  }
  findings.finish(name, placed.length);
}
