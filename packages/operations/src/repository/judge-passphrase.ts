import { ConfigurationError } from "@ovault/contract";
import type { RepositorySecret } from "@ovault/core";

import type { Reporter } from "../reporter.ts";

/** Minimum length, in characters. */
const SHORTEST = 8;
const SHORTEST_WORD = 15;
const FEWEST_DIFFERENT = 4;
const ADVICE = "Take several words at random, or a key file: a copy of the repository can be guessed at for years.";

/**
 * Judges a passphrase for a new repository: refuses one of fewer than 8 characters, or of hardly different ones, and
 * warns about a single word of fewer than 15. Existing repositories with a weak passphrase still open.
 * @throws ConfigurationError
 */
export function judgePassphrase(secret: RepositorySecret | undefined, reporter: Reporter): void {
  if (secret?.kind !== "passphrase") return;
  const characters = [...Buffer.from(secret.bytes).toString("utf8")];
  if (characters.length < SHORTEST || new Set(characters).size < FEWEST_DIFFERENT) {
    throw new ConfigurationError(
      `the passphrase is too easy to guess: it needs ${SHORTEST} characters, ${FEWEST_DIFFERENT} of them different`,
      { hint: ADVICE },
    );
  }
  if (characters.length >= SHORTEST_WORD || characters.includes(" ")) return;
  reporter.warn(`the passphrase is one word of only ${characters.length} characters. ${ADVICE}`);
}
