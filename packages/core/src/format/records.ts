import { z } from "zod";

import {
  type ObjectInfo,
  type ObjectKey,
  type ObjectStore,
  IntegrityError,
  RepositoryVersionError,
  ObjectNotFoundError,
} from "@ovault/contract";
import { decodeDocument, encodeDocument } from "./document.ts";
import { randomName } from "./layout.ts";
import type { DamagedObject } from "./damaged-object.ts";
import { LARGEST, readWhole } from "./read-whole.ts";

/**
 * Notes that several nodes leave in a repository: small documents below one prefix, made and deleted, never rewritten.
 * All existing ones count together; to change them, a writer puts a new one before it deletes old ones.
 */
export interface RecordKind<T> {
  /** Ends in `/`. */
  readonly prefix: string;
  readonly type: string;
  readonly schema: z.ZodType<T>;
}

export interface StoredRecord<T> {
  readonly key: ObjectKey;
  readonly value: T;
}

export interface RecordListing<T> {
  readonly records: readonly StoredRecord<T>[];
  /** Objects that are damaged or of a newer release. They count as absent and do no harm. */
  readonly damaged: readonly DamagedObject[];
}

const VERSION = 1;
const RECORD_KEY = /\/[0-9a-f]{32}$/;

/** All records of a kind, or those in a folder of it (`below` ends in `/`). */
export async function readRecords<T>(
  store: ObjectStore,
  kind: RecordKind<T>,
  signal: AbortSignal,
  below: string = kind.prefix,
): Promise<RecordListing<T>> {
  const records: StoredRecord<T>[] = [];
  const damaged: DamagedObject[] = [];
  for await (const info of store.list(below, { signal })) {
    // Not a record of ovault.
    if (!RECORD_KEY.test(info.key)) continue;
    try {
      records.push({ key: info.key, value: await readRecord(store, kind, info, signal) });
    } catch (error) {
      if (error instanceof ObjectNotFoundError) continue; // replaced since the listing
      if (!(error instanceof IntegrityError) && !(error instanceof RepositoryVersionError)) throw error;
      damaged.push({ key: info.key, error });
    }
  }
  return { records, damaged };
}

/** Puts it under a unique name. */
export async function putRecord<T>(
  store: ObjectStore,
  kind: RecordKind<T>,
  value: T,
  signal: AbortSignal,
  below: string = kind.prefix,
): Promise<ObjectKey> {
  const key = `${below}${randomName()}`;
  await store.put(key, [encodeDocument(kind.type, VERSION, value)], { ifAbsent: true, signal });
  return key;
}

async function readRecord<T>(
  store: ObjectStore,
  { type, schema }: RecordKind<T>,
  info: ObjectInfo,
  signal: AbortSignal,
): Promise<T> {
  const value = decodeDocument(type, VERSION, await readWhole(store, info, LARGEST.record, { signal }), info.key);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new IntegrityError(`${info.key} does not hold what a ${type} record must: ${z.prettifyError(parsed.error)}`);
}
