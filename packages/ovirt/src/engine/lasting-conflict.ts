/**
 * Texts of conflicts (HTTP 409) that do not resolve by themselves. Engines translate them into the requested language
 * (English) and change them between releases: any other text counts as temporary and is retried.
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
