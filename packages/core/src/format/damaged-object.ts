import type { ObjectKey } from "@ovault/contract";

/** A damaged object found while the index was loaded, and the error that reading it raised. */
export interface DamagedObject {
  readonly key: ObjectKey;
  readonly error: unknown;
}
