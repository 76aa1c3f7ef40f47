import { messageOf } from "@ovault/contract";

/** Errors that are told; the rest is more of the same. */
const MOST_ERRORS = 1000;

/** A client that meets an error mostly asks again. */
export function tellOnce(tell: (error: unknown) => void): (error: unknown) => void {
  const told = new Set<string>();
  return (error) => {
    const message = messageOf(error);
    if (told.has(message) || told.size === MOST_ERRORS) return;
    told.add(message);
    tell(error);
  };
}
