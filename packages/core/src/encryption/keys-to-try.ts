import { workBytes } from "./key-derivation.ts";
import { kindOf, type KeyDocument } from "./key-document.ts";
import type { SecretKind } from "./repository-secret.ts";

/** As much as 32 passphrases of the usual cost: some ten seconds, whoever has put how many keys there. */
export const MOST_WORK_BYTES = 32 * 2 ** 27;

export interface KeysToTry {
  /** The cheapest first. */
  readonly tried: readonly KeyDocument[];
  /** Too much work after those before. */
  readonly skipped: readonly KeyDocument[];
}

/**
 * The keys that a secret of this kind may open. Whoever can write to the store can put keys there that cost much and open
 * nothing, so the work for all of them together has a limit.
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
