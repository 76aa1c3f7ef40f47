import { StorageDomainError } from "./errors.ts";

/** Keys and values of a metadata file, in its order. */
export type KeyValues = ReadonlyMap<string, string>;

/**
 * Parses lines of `KEY=VALUE`, as vdsm writes them: the first `=` divides, a later line of the same key wins, and lines
 * without one (`EOF`, padding) are skipped. @param title names the file in errors
 */
export function parseKeyValues(text: string, title: string): KeyValues {
  const values = new Map<string, string>();
  // Metadata in a slot of a device is padded with NULs.
  for (const line of text.replaceAll("\0", "").split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) values.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  if (values.size === 0) throw new StorageDomainError(`${title} holds no metadata`);
  return values;
}

/** @throws StorageDomainError when the key is missing */
export function requireValue(values: KeyValues, key: string, title: string): string {
  const value = values.get(key);
  if (value === undefined) throw new StorageDomainError(`${title} has no ${key}`);
  return value;
}

/** The entry of `words` that the value names. @throws StorageDomainError when it names none */
export function requireWord<T>(values: KeyValues, key: string, words: Readonly<Record<string, T>>, title: string): T {
  const value = requireValue(values, key, title);
  const word = Object.hasOwn(words, value) ? words[value] : undefined;
  if (word === undefined) {
    throw new StorageDomainError(`${title}: ${key} is none of ${Object.keys(words).join(", ")}`, {
      context: { key, value: value.slice(0, 100) },
    });
  }
  return word;
}

/** A whole number of at most 2^53 - 1; undefined where the key is missing. @throws StorageDomainError */
export function countOf(values: KeyValues, key: string, title: string): number | undefined {
  const value = values.get(key);
  if (value === undefined) return undefined;
  const count = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(count)) {
    throw new StorageDomainError(`${title}: ${key} is no size`, { context: { key, value: value.slice(0, 100) } });
  }
  return count;
}
