import {
  type ObjectKey,
  type ObjectStore,
  IntegrityError,
  RepositoryVersionError,
  ObjectNotFoundError,
} from "@ovault/contract";
import { KEYS } from "../format/layout.ts";
import { readWhole } from "../format/read-whole.ts";
import { assertProved, decodeKeyDocument, type KeyDocument, keyKey } from "./key-document.ts";
import type { RepositoryKey } from "./repository-key.ts";

/** More than `KeyRing` ever makes. Each may cost a scrypt: the limit bounds that work. */
const MOST_KEYS = 128;
const LARGEST_DOCUMENT_BYTES = 16 * 1024;

/** A key that is damaged, or was made or changed without the master key. Others are not affected. */
export interface DamagedKey {
  readonly key: ObjectKey;
  readonly error: unknown;
}

export interface KeyDocuments {
  readonly documents: readonly KeyDocument[];
  readonly damaged: readonly DamagedKey[];
}

/**
 * All keys of this repository. Skips those of another one, which an interrupted `create` may have left.
 * @throws IntegrityError when there are more than ovault can have made
 */
export async function readKeyDocuments(
  store: ObjectStore,
  repository: string,
  signal: AbortSignal,
): Promise<KeyDocuments> {
  const documents: KeyDocument[] = [];
  const damaged: DamagedKey[] = [];
  let found = 0;
  for await (const info of store.list(KEYS, { signal })) {
    const { key } = info;
    found += 1;
    if (found > MOST_KEYS) {
      throw new IntegrityError(`there are more than ${MOST_KEYS} keys in the destination`, {
        hint: `ovault never makes so many: find out what wrote the objects under ${KEYS}.`,
      });
    }
    try {
      const document = decodeKeyDocument(await readWhole(store, info, LARGEST_DOCUMENT_BYTES, { signal }), key);
      if (document.repository === repository) documents.push(document);
    } catch (error) {
      if (error instanceof ObjectNotFoundError) continue; // removed since the listing
      if (!(error instanceof IntegrityError) && !(error instanceof RepositoryVersionError)) throw error;
      damaged.push({ key, error });
    }
  }
  return { documents, damaged };
}

/** Moves keys without a valid proof by the master key to the damaged ones. */
export function provedOnly({ documents, damaged }: KeyDocuments, key: RepositoryKey): KeyDocuments {
  const proved: KeyDocument[] = [];
  const forged: DamagedKey[] = [];
  for (const document of documents) {
    try {
      assertProved(document, key);
      proved.push(document);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      forged.push({ key: keyKey(document.id), error });
    }
  }
  return { documents: proved, damaged: [...damaged, ...forged] };
}
