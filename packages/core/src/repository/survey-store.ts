import type { ObjectKey, ObjectStore } from "@ovault/contract";
import {
  CHECKS,
  CONDEMNED,
  DAMAGE,
  EXTENSIONS,
  INDEX,
  KEYS,
  LEASES,
  LOST,
  packNameIn,
  REPOSITORY_KEY,
  RESERVE_KEY,
  VERDICTS,
} from "../format/layout.ts";

/** Keys of objects that ovault did not make. There may be any number, so only the first are named. */
export interface ForeignObjects {
  readonly count: number;
  readonly first: readonly ObjectKey[];
}

/** All objects of a store, as one listing shows them. */
export interface StoreSurvey {
  /** Bytes of every pack, by name. */
  readonly packs: ReadonlyMap<string, number>;
  readonly foreign: ForeignObjects;
}

/** Patterns of a repository's keys, except those of packs. */
const OURS = [
  new RegExp(`^(?:${REPOSITORY_KEY}|${RESERVE_KEY})$`),
  new RegExp(`^(?:${INDEX}|${CONDEMNED}|${VERDICTS}|${EXTENSIONS}|${DAMAGE}|${CHECKS})[0-9a-f]{32}$`),
  new RegExp(`^${KEYS}[0-9a-f]{16}$`),
  /^points\/[0-9a-f]{32}\/[0-9a-z-]{1,64}(?:\.forgotten)?$/,
  new RegExp(`^${LOST}[0-9a-f]{32}/[0-9a-z-]{1,64}/[0-9a-f]{32}$`),
  new RegExp(`^${LEASES}[^/]+/\\d{8}(?:\\.\\d{8})?$`),
];

const NAMED = 100;

/** Whether ovault may have put an object under this key, packs excepted. */
export function isOurs(key: ObjectKey): boolean {
  return OURS.some((pattern) => pattern.test(key));
}

export async function surveyStore(store: ObjectStore, signal: AbortSignal): Promise<StoreSurvey> {
  const packs = new Map<string, number>();
  const first: ObjectKey[] = [];
  let count = 0;
  for await (const { key, bytes } of store.list("", { signal })) {
    const pack = packNameIn(key);
    if (pack !== undefined) packs.set(pack, bytes);
    else if (!isOurs(key)) {
      count += 1;
      if (first.length < NAMED) first.push(key);
    }
  }
  return { packs, foreign: { count, first } };
}
