import type { ObjectStore } from "@ovault/contract";
import { timed } from "./timed.ts";

/**
 * Writes one plain line per call: kind, key, bytes, milliseconds, outcome. Never content, and never an error's text.
 */
export function logged(store: ObjectStore, log: (line: string) => void): ObjectStore {
  return timed(store, ({ kind, key, bytes, ms, outcome }) =>
    log(`${kind} ${key} ${bytes} bytes ${ms.toFixed(1)} ms ${outcome}`),
  );
}
