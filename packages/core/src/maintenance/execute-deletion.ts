import { inLanes, type ObjectKey, StorePermissionError } from "@ovault/contract";
import { unlessFull } from "../store/unless-full.ts";
import { earliest } from "../util/earliest.ts";
import { deleteCondemned, type Verdict } from "../repository/packs/condemned-packs.ts";
import { packKey } from "../format/layout.ts";
import type { Repository } from "../repository/repository.ts";
import type { PackSurvey } from "./pack-survey.ts";
import { rewriteIndex } from "./rewrite-index.ts";

export interface DeletionOptions {
  readonly survey: PackSurvey;
  readonly onFreed: (packBytes: number) => void;
  readonly signal: AbortSignal;
}

export interface DeletionOutcome {
  /** Number of deleted manifests. */
  readonly points: number;
  /** Earliest expiry among objects the store still locks; undefined when everything is deleted. */
  readonly lockedUntil: Date | undefined;
}

/** Deletions in flight. */
const LANES = 8;

/**
 * Deletes what a verdict lists: packs from the index, manifests, packs, and at last the document. Nothing needs any of
 * it any more, so that it may be interrupted anywhere, and any node may repeat it.
 */
export async function executeDeletion(
  repository: Repository,
  { name, verdict: { packs, points } }: { readonly name: string; readonly verdict: Verdict },
  { survey, onFreed, signal }: DeletionOptions,
): Promise<DeletionOutcome> {
  const { store, index } = repository;
  const there = packs
    .map((pack) => ({ pack, bytes: survey.bytesOfNamed(pack, index) }))
    .filter(({ bytes }) => bytes > 0);
  const rewrite = (): Promise<void> => rewriteIndex(repository, { without: new Set(packs), signal });
  const hadRoom = await unlessFull(rewrite);
  for (const { pack, bytes } of there) survey.markForDeletion(pack, bytes);
  const locksEnd: Date[] = [];
  const remove = async (key: ObjectKey, work: () => Promise<void>): Promise<boolean> => {
    const until = await lockThatPrevents(repository, key, work, signal);
    if (until !== undefined) locksEnd.push(until);
    return until === undefined;
  };
  // Manifests first, so that none ever exists without its packs.
  let deleted = 0;
  for (const key of points) if (await remove(key, () => repository.points.delete(key, signal))) deleted += 1;
  const removePack = async ({ pack, bytes }: (typeof there)[number], lane: AbortSignal): Promise<void> => {
    const key = packKey(pack);
    if (!(await remove(key, () => store.delete(key, { signal: lane })))) return;
    survey.forget(pack);
    onFreed(bytes);
  };
  index.drop(packs);
  await inLanes(there, LANES, removePack, signal);
  // Until then index objects list deleted packs, which readers expect at any time.
  if (!hadRoom) await rewrite();
  if (locksEnd.length === 0) await deleteCondemned(store, name, signal);
  return { points: deleted, lockedUntil: earliest(locksEnd) };
}

/** Until when the store locks an object that could not be deleted; undefined when it is gone. */
async function lockThatPrevents(
  { store }: Repository,
  key: ObjectKey,
  work: () => Promise<void>,
  signal: AbortSignal,
): Promise<Date | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof StorePermissionError)) throw error;
    const until = await store.retention?.heldUntil(key, { signal });
    if (until === undefined) throw error;
    return until;
  }
}
