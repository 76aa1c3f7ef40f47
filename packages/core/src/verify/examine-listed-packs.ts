import { plural, IntegrityError, ObjectNotFoundError, inLanes } from "@ovault/contract";
import type { PackListing } from "../repository/packs/pack-listing.ts";
import { indexObjects } from "../repository/index/index-objects.ts";
import { packKey } from "../format/layout.ts";
import type { PackEntry } from "../repository/packs/pack-entries.ts";
import type { Repository } from "../repository/repository.ts";
import { release } from "../util/release.ts";
import { failureOf } from "./damage.ts";
import { missedPacks } from "./missed-packs.ts";
import type { PackFindings } from "./pack-findings.ts";
import type { ProvedChunks } from "./proved-chunks.ts";

/** Chunks of a pack in flight. */
const CHUNKS = 4;

export interface ExamineOptions {
  readonly findings: PackFindings;
  readonly proved: ProvedChunks;
  readonly lanes: number;
  readonly signal: AbortSignal;
}

/**
 * Checks packs chunk by chunk, as index objects list them: packs that are missing, truncated, or have a damaged
 * directory.
 */
export async function examineListedPacks(
  repository: Repository,
  names: ReadonlySet<string>,
  { findings, proved, lanes, signal }: ExamineOptions,
): Promise<void> {
  if (names.size === 0) return;
  const absent = await absentOf(repository, names, lanes, signal);
  // Packs that prune has deleted meanwhile are not damage.
  if (absent.size > 0) await repository.refresh(signal);
  const isMissed = missedPacks(repository);
  async function* wanted(): AsyncGenerator<PackListing> {
    const seen = new Set<string>();
    for await (const { packs = [] } of indexObjects(repository.store, signal)) {
      for (const listing of packs) {
        const { name } = listing;
        if (!names.has(name) || seen.has(name)) continue;
        seen.add(name);
        if (!absent.has(name) || isMissed(name)) yield listing;
      }
    }
  }
  const work = async ({ name, kind, entries }: PackListing, lane: AbortSignal): Promise<void> => {
    if (absent.has(name)) {
      for (const { id } of entries) findings.addBad(name, id);
      findings.examined.add(name);
      findings.addDamage(`${packKey(name)} is missing; it held ${plural(entries.length, "chunk")}`);
      return;
    }
    const examine = async (entry: PackEntry, chunkLane: AbortSignal): Promise<void> => {
      const bad = await failureOf(async () => {
        const plain = await repository.chunks.loadFrom({ ...entry, pack: { name } }, entry.id, chunkLane);
        if (kind === "data") proved.add(entry.id, plain.byteLength);
        release(plain);
      });
      if (bad !== undefined) findings.addBad(name, entry.id);
    };
    // Concurrently: on a failing disk each takes seconds.
    await inLanes(entries, CHUNKS, examine, lane);
    findings.finish(name, entries.length);
  };
  await inLanes(wanted(), lanes, work, signal);
}

/** The packs that the store does not have. */
async function absentOf(
  { store }: Repository,
  names: ReadonlySet<string>,
  lanes: number,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const absent = new Set<string>();
  const work = async (name: string, lane: AbortSignal): Promise<void> => {
    try {
      await store.stat(packKey(name), { signal: lane });
    } catch (error) {
      if (error instanceof ObjectNotFoundError) absent.add(name);
      else if (!(error instanceof IntegrityError)) throw error;
    }
  };
  await inLanes(names, lanes, work, signal);
  return absent;
}
