import { randomUUID } from "node:crypto";
import { z } from "zod";

import { IntegrityError, type ObjectKey, ObjectNotFoundError, type ObjectStore } from "@ovault/contract";
import { decodeDocument, encodeDocument } from "../format/document.ts";
import { LARGEST, readKey } from "../format/read-whole.ts";

const KEY: ObjectKey = "ovault-images";
const TYPE = "images";
const VERSION = 1;

const schema = z.object({ id: z.uuid() });

/**
 * The id of a place of images, beside them. The first caller chooses it.
 * @throws IntegrityError when it is damaged; StoreReadOnlyError where none was chosen yet and none can be
 */
export async function identifyPlace(store: ObjectStore, signal: AbortSignal): Promise<string> {
  const known = await readId(store, signal);
  if (known !== undefined) return known;
  await store.put(KEY, [encodeDocument(TYPE, VERSION, { id: randomUUID() })], { ifAbsent: true, signal });
  const chosen = await readId(store, signal);
  if (chosen !== undefined) return chosen;
  throw new IntegrityError(`${KEY} was put, and is not there`, { context: { key: KEY } });
}

async function readId(store: ObjectStore, signal: AbortSignal): Promise<string | undefined> {
  let document: Uint8Array;
  try {
    document = await readKey(store, KEY, LARGEST.small, { signal });
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  }
  const found = schema.safeParse(decodeDocument(TYPE, VERSION, document, KEY));
  if (found.success) return found.data.id;
  throw new IntegrityError(`${KEY} names no id: ${z.prettifyError(found.error)}`, { context: { key: KEY } });
}
