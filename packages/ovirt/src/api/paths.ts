import { UsageError } from "@ovault/contract";

/**
 * A path from parts, each of which may hold ids from outside: none can leave its place in the path.
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
