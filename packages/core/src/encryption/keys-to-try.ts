import { workBytes } from "./key-derivation.ts";
import { kindOf, type KeyDocument } from "./key-document.ts";
import type { SecretKind } from "./repository-secret.ts";

/** The work of 32 passphrases of the usual cost: some ten seconds, however many keys the store holds. */
export const MOST_WORK_BYTES = 32 * 2 ** 27;

export interface KeysToTry {
  /** Cheapest first. */
  readonly tried: readonly KeyDocument[];
  /** Beyond the limit of work. */
  readonly skipped: readonly KeyDocument[];
}

/**
 * The keys that a secret of this kind may open. Anyone who can write to the store can put expensive keys there that
 * open nothing, so the work for all keys together has a limit.
 */
export function keysToTry(documents: readonly KeyDocument[], kind: SecretKind): KeysToTry {
  const fitting = documents.filter((document) => kindOf(document) === kind);
  const tried: KeyDocument[] = [];
  const skipped: KeyDocument[] = [];
  let left = MOST_WORK_BYTES;
  for (const document of fitting.toSorted((a, b) => workBytes(a.derivation) - workBytes(b.derivation))) {
    left -= workBytes(document.derivation);
    (left >= 0 ? tried : skipped).push(document);
  }
  return { tried, skipped };
}
