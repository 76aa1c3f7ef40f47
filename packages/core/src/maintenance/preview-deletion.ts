import { lastValueFrom, toArray } from "rxjs";

import { type ObjectKey, ObjectNotFoundError } from "@ovault/contract";
import { pullInLanes } from "../concurrency/pull-in-lanes.ts";
import type { Verdict } from "../repository/packs/condemned-packs.ts";
import { packKey } from "../format/layout.ts";
import type { Repository } from "../repository/repository.ts";
import { earliest } from "../util/earliest.ts";
import type { DeletionOutcome } from "./execute-deletion.ts";
import type { PackSurvey } from "./pack-survey.ts";

export interface PreviewOptions {
  readonly survey: PackSurvey;
  readonly now: Date;
  readonly signal: AbortSignal;
}

export interface DeletionPreview extends DeletionOutcome {
  /** Names and sizes of the packs that exist, and whether the store would keep them. */
  readonly packs: readonly { readonly pack: string; readonly bytes: number; readonly isLocked: boolean }[];
}

/** Calls in flight. */
const LANES = 8;

/** What `executeDeletion` would do now. Changes nothing. */
export async function previewDeletion(
  repository: Repository,
  { packs, points }: Pick<Verdict, "packs" | "points">,
  { survey, now, signal }: PreviewOptions,
): Promise<DeletionPreview> {
  const ends: Date[] = [];
  const isLocked = async (key: ObjectKey, lane: AbortSignal): Promise<boolean> => {
    const until = await lockOf(repository, key, lane);
    if (until === undefined || until <= now) return false;
    ends.push(until);
    return true;
  };
  const look = async (pack: string, lane: AbortSignal) => {
    const bytes = survey.bytesOfNamed(pack, repository.index);
    return { pack, bytes, isLocked: bytes > 0 && (await isLocked(packKey(pack), lane)) };
  };
  const looked = await lastValueFrom(pullInLanes(packs, LANES, look, signal).pipe(toArray()));
  let deletable = 0;
  for (const key of points) if (!(await isLocked(key, signal))) deletable += 1;
  return { packs: looked.filter(({ bytes }) => bytes > 0), points: deletable, lockedUntil: earliest(ends) };
}

async function lockOf({ store }: Repository, key: ObjectKey, signal: AbortSignal): Promise<Date | undefined> {
  try {
    return await store.retention?.heldUntil(key, { signal });
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  }
}
