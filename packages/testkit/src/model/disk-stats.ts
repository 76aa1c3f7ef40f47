import type { DiskStats } from "@ovault/contract";

/** Statistics of a disk of which nothing was read. */
export function diskStats(logicalBytes: number, newBlocks = 0): DiskStats {
  return {
    logicalBytes,
    readBytes: 0,
    storedBytes: 0,
    zeroBlocks: 0,
    unchangedBlocks: 0,
    newBlocks,
    knownBlocks: 0,
  };
}
