import { z } from "zod";

import { type ObjectKey, type ObjectStore, IntegrityError, ObjectNotFoundError } from "@ovault/contract";
import { decodeDocument, encodeDocument } from "../../format/document.ts";
import { CONDEMNED, isPointKey, VERDICTS } from "../../format/layout.ts";
import type { DamagedObject } from "../../format/damaged-object.ts";
import { LARGEST, readKey } from "../../format/read-whole.ts";
import { putRecord, readRecords, type RecordKind } from "../../format/records.ts";

const schema = z.object({
  at: z.iso.datetime(),
  /** Names. */
  packs: z.array(z.string().regex(/^[0-9a-f]{32}$/)).readonly(),
  /** Keys of the manifests of forgotten points: they are deleted with their packs. */
  points: z.array(z.string().refine(isPointKey)).readonly(),
});

/** What prune is about to delete: nothing new may rely on it, and prune waits for runs that already do. */
export type Condemned = z.infer<typeof schema>;
/** The part of a condemned document that nothing needs. There is one verdict per document, and it is final. */
export type Verdict = Condemned;

const CONDEMNED_RECORD: RecordKind<Condemned> = { prefix: CONDEMNED, type: "condemned", schema };
const VERDICT_TYPE = "verdict";
const VERSION = 1;

export interface CondemnedDocument extends Condemned {
  readonly name: string;
  /** Undefined until there is one. */
  readonly verdict: Verdict | undefined;
}

/** All condemned documents as of now. */
export interface CondemnedListing {
  readonly documents: readonly CondemnedDocument[];
  /** Damaged documents and verdicts: their content is unknown. */
  readonly damaged: readonly DamagedObject[];
}

export async function readCondemned(store: ObjectStore, signal: AbortSignal): Promise<CondemnedListing> {
  const { records, damaged } = await readRecords(store, CONDEMNED_RECORD, signal);
  const listing = { documents: [] as CondemnedDocument[], damaged: [...damaged] };
  for (const { key, value } of records) {
    const name = key.slice(CONDEMNED.length);
    const found = await readVerdict(store, name, signal).catch((error: unknown) => {
      if (!(error instanceof IntegrityError)) throw error;
      listing.damaged.push({ key: verdictKey(name), error });
      return undefined;
    });
    listing.documents.push({ name, ...value, verdict: found });
  }
  return listing;
}

/** Names of all packs on which nothing new may rely. Packs that a verdict has spared may be used again. */
export function condemnedPacks({ documents }: CondemnedListing): ReadonlySet<string> {
  return new Set(documents.flatMap((document) => (document.verdict ?? document).packs));
}

/** Names of all packs that a verdict gives up: they are deleted, or will be. */
export function decidedPacks({ documents }: CondemnedListing): ReadonlySet<string> {
  return new Set(documents.flatMap(({ verdict }) => verdict?.packs ?? []));
}

/** Answers the document's name. */
export async function putCondemned(store: ObjectStore, value: Condemned, signal: AbortSignal): Promise<string> {
  return (await putRecord(store, CONDEMNED_RECORD, value, signal)).slice(CONDEMNED.length);
}

/**
 * Puts a verdict on a document, unless there is one. Answers the one that counts; undefined when the document was
 * carried out or withdrawn meanwhile.
 */
export async function putVerdict(
  store: ObjectStore,
  name: string,
  value: Verdict,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  await store.put(verdictKey(name), [encodeDocument(VERDICT_TYPE, VERSION, value)], { ifAbsent: true, signal });
  const counts = await readVerdict(store, name, signal);
  // The document is deleted before its verdict: while it exists, no other verdict can have come and gone.
  if (await exists(store, CONDEMNED + name, signal)) return counts;
  await store.delete(verdictKey(name), { signal });
  return undefined;
}

/** Deletes a document that was carried out or withdrawn. The verdict goes last. */
export async function deleteCondemned(store: ObjectStore, name: string, signal: AbortSignal): Promise<void> {
  await store.delete(CONDEMNED + name, { signal });
  await store.delete(verdictKey(name), { signal });
}

/** Deletes verdicts that remain when `deleteCondemned` is interrupted between its two steps. */
export async function deleteStrayVerdicts(store: ObjectStore, signal: AbortSignal): Promise<void> {
  for await (const { key } of store.list(VERDICTS, { signal })) {
    if (!(await exists(store, CONDEMNED + key.slice(VERDICTS.length), signal))) await store.delete(key, { signal });
  }
}

async function readVerdict(store: ObjectStore, name: string, signal: AbortSignal): Promise<Verdict | undefined> {
  const key = verdictKey(name);
  try {
    const object = await readKey(store, key, LARGEST.record, { signal });
    const parsed = schema.safeParse(decodeDocument(VERDICT_TYPE, VERSION, object, key));
    if (parsed.success) return parsed.data;
    throw new IntegrityError(`${key} is not a verdict: ${z.prettifyError(parsed.error)}`, { context: { key } });
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  }
}

async function exists(store: ObjectStore, key: ObjectKey, signal: AbortSignal): Promise<boolean> {
  try {
    await store.stat(key, { signal });
    return true;
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return false;
    throw error;
  }
}

function verdictKey(name: string): ObjectKey {
  return VERDICTS + name;
}
