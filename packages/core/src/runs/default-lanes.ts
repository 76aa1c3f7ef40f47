/** Blocks in flight in one run, over all its disks: enough to keep two cores and one store busy. */
export const DEFAULT_LANES = 8;
