import type { ObjectKey } from "@ovault/contract";

/** A damaged object found while the index was loaded, with the error that tells why. */
export interface DamagedObject {
  readonly key: ObjectKey;
  readonly error: unknown;
}
