import {
  type ObjectKey,
  type ObjectStore,
  type RetentionControl,
  type Clock,
  ObjectNotFoundError,
  inLanes,
} from "@ovault/contract";
import { KEYS, REPOSITORY_KEY } from "../format/layout.ts";
import { putRecord, readRecords } from "../format/records.ts";
import { EXTENSION } from "../repository/lock-extensions.ts";
import type { Repository } from "../repository/repository.ts";

export interface ExtendLocksOptions {
  /** Keys of all packs and manifests that must stay: starts over with each call. */
  readonly keys: () => Iterable<ObjectKey>;
  readonly clock: Clock;
  readonly onExtended: () => void;
  readonly signal: AbortSignal;
}

const LANES = 8;
/** Locks that are checked before a record is trusted: anyone who can write to the store can write records too. */
const SAMPLE = 16;

/**
 * Extends the locks of what is needed, so that none ends within half of the time that new objects are locked for. That
 * costs one call per object, so it is done for all of them once in each such half, and a record in the repository says
 * when. The settings and the keys are few, and nothing can be read without them: their locks are extended every time,
 * so that none ends before that of any point. Does nothing where the store cannot lock, or new objects are not locked.
 */
export async function extendLocks(repository: Repository, options: ExtendLocksOptions): Promise<void> {
  const { store, lockMs } = repository;
  const { clock, signal } = options;
  if (store.retention === undefined || lockMs === undefined) return;
  const now = clock.now().getTime();
  const until = new Date(now + lockMs);
  await extendAll(store.retention, settingsAndKeys(store, signal), until, options);
  const { records, damaged } = await readRecords(store, EXTENSION, signal);
  const soon = new Date(now + lockMs / 2);
  const isDone = records.some(({ value }) => Date.parse(value.until) >= soon.getTime());
  if (isDone && (await areLocked(store.retention, sampleOf(options.keys()), soon, signal))) return;
  await extendAll(store.retention, options.keys(), until, options);
  await putRecord(store, EXTENSION, { at: new Date(now).toISOString(), until: until.toISOString() }, signal);
  for (const { key } of [...records, ...damaged]) await store.delete(key, { signal });
}

async function* settingsAndKeys(store: ObjectStore, signal: AbortSignal): AsyncGenerator<ObjectKey> {
  yield REPOSITORY_KEY;
  for await (const { key } of store.list(KEYS, { signal })) yield key;
}

async function extendAll(
  retention: RetentionControl,
  keys: AsyncIterable<ObjectKey> | Iterable<ObjectKey>,
  until: Date,
  { onExtended, signal }: ExtendLocksOptions,
): Promise<void> {
  const extend = async (key: ObjectKey, lane: AbortSignal): Promise<void> => {
    await retention.extend(key, until, { signal: lane }).catch(unlessGone);
    onExtended();
  };
  await inLanes(keys, LANES, extend, signal);
}

async function areLocked(
  retention: RetentionControl,
  keys: readonly ObjectKey[],
  until: Date,
  signal: AbortSignal,
): Promise<boolean> {
  for (const key of keys) {
    const held = await retention.heldUntil(key, { signal }).catch((error: unknown) => {
      unlessGone(error);
      return until;
    });
    // Services store whole seconds.
    if ((held?.getTime() ?? 0) < until.getTime() - 1000) return false;
  }
  return true;
}

/** A uniform random sample. */
function sampleOf(keys: Iterable<ObjectKey>): readonly ObjectKey[] {
  const sample: ObjectKey[] = [];
  let count = 0;
  for (const key of keys) {
    count += 1;
    if (sample.length < SAMPLE) sample.push(key);
    else {
      const at = Math.floor(Math.random() * count);
      if (at < SAMPLE) sample[at] = key;
    }
  }
  return sample;
}

/** Deleted meanwhile. */
function unlessGone(error: unknown): void {
  if (!(error instanceof ObjectNotFoundError)) throw error;
}
