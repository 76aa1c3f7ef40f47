import type { PackEntries } from "./pack-entries.ts";
import type { PackKind } from "./pack-format.ts";

/** One pack as an index object lists it. */
export interface PackListing {
  readonly name: string;
  readonly kind: PackKind;
  /** Offset at which the pack's directory starts, in bytes: where the last chunk ends at the latest. */
  readonly dataEnd: number;
  readonly entries: PackEntries;
}
