/**
 * What engines say in a conflict (HTTP 409) that does not pass by itself. Their texts are translated into the language that
 * is asked for (English), and change between releases: anything else counts as passing, and is met with patience.
 */
const LASTING = [
  /delete[- ]protect/i,
  /\balready (?:exists?|in use|used|marked as boot)\b/i,
  /\b(?:is|are) not supported\b/i,
  /\bis disabled for the VM\b/i,
  /\bincompatible with\b/i,
  /\bcannot create disk more than\b/i,
];

/** True when repeating a request that met this conflict can never succeed. */
export function isLastingConflict(said: string | undefined): boolean {
  return said !== undefined && LASTING.some((pattern) => pattern.test(said));
}
