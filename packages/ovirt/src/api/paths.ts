import { UsageError } from "@ovault/contract";

/**
 * Joins parts into a path. Parts may be ids from outside: escaping keeps each in its place.
 *
 * @throws UsageError for an empty part, which would name the collection above.
 */
export function path(...parts: readonly string[]): string {
  return parts.map((part) => `/${segment(part)}`).join("");
}

function segment(part: string): string {
  if (part === "" || part === "." || part === "..") {
    throw new UsageError(`"${part}" is no id of anything on the engine`);
  }
  return encodeURIComponent(part);
}
