import { IntegrityError, ObjectNotFoundError, CodecError, inLanes } from "@ovault/contract";
import type { ChunkWriter } from "../repository/chunks/chunk-writer.ts";
import { packKey } from "../format/layout.ts";
import type { PackEntry } from "../repository/packs/pack-entries.ts";
import { readPackListing } from "../repository/packs/read-pack-listing.ts";
import type { Repository } from "../repository/repository.ts";
import { copyChunk } from "../repository/copy-chunk.ts";
import type { Liveness } from "./liveness.ts";
import type { PackSurvey } from "./pack-survey.ts";
import type { PackUse } from "./pack-use.ts";

export interface RepackOptions {
  readonly survey: PackSurvey;
  readonly use: PackUse;
  readonly live: Liveness;
  /** Called for each copied chunk, with its stored bytes. */
  readonly onCopied: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Chunks in flight. */
const LANES = 4;

/**
 * Copies what these packs keep to new packs, and lists those. Proves every chunk on its way; compresses none again.
 * Answers the packs that were copied completely: the others hold something that cannot be read.
 */
export async function repack(
  repository: Repository,
  packs: readonly number[],
  options: RepackOptions,
): Promise<readonly number[]> {
  const writer = repository.writer(options.signal);
  const emptied: number[] = [];
  try {
    for (const pack of packs) if (await copyLiving(repository, pack, writer, options)) emptied.push(pack);
    await writer.finish();
  } finally {
    await writer.idle();
  }
  return emptied;
}

/** False when not all of it could be copied. */
async function copyLiving(
  repository: Repository,
  pack: number,
  writer: ChunkWriter,
  { survey, use, live, onCopied, signal }: RepackOptions,
): Promise<boolean> {
  const { store, protection, index } = repository;
  const name = index.packs.nameOf(pack);
  const info = { key: packKey(name), bytes: survey.bytesOf(pack) };
  try {
    const { kind, entries } = await readPackListing(store, protection, info, signal);
    let keptBytes = 0;
    function* living(): Generator<PackEntry> {
      for (const entry of entries) {
        const number = index.entryOf(entry.id);
        if (number === undefined || !live.has(number) || !use.keeps(pack, number)) continue;
        keptBytes += entry.storedBytes;
        yield entry;
      }
    }
    const copy = async (entry: PackEntry, lane: AbortSignal): Promise<void> =>
      onCopied(await copyChunk(repository, { entry, kind, name }, writer, lane));
    await inLanes(living(), LANES, copy, signal);
    // If the pack is not the one that the index lists, the copied bytes differ from what it keeps.
    return keptBytes === use.keptOf(pack);
  } catch (error) {
    if (error instanceof CodecError) throw error;
    if (error instanceof IntegrityError || error instanceof ObjectNotFoundError) return false;
    throw error;
  }
}
