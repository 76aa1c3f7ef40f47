/**
 * What a range of a disk holds.
 * - `data`: bytes that must be read.
 * - `zero`: reads as zeros; never read.
 * - `unchanged`: the same bytes as in the base recovery point; never read unless it shares a block with something else.
 */
export type ExtentKind = "data" | "zero" | "unchanged";

/**
 * A range of a disk, in bytes. A list of extents is ascending, gapless and covers the disk from 0 to its size. Full and
 * incremental backups have one form: a full one has no `unchanged` extents.
 */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly kind: ExtentKind;
}
