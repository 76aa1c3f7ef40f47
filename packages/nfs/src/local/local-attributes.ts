import type { BigIntStats } from "node:fs";

import type { FileAttributes, FileTime } from "../nfs-file-system.ts";

const BLOCK_BYTES = 512n;
const PERMISSIONS = 0o7777n;
const SECOND = 1_000_000_000n;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Undefined for what is neither file, directory nor link, which is not shown. */
export function attributesOf(stats: BigIntStats, owner: Owner | undefined): FileAttributes | undefined {
  const type = typeOf(stats);
  if (type === undefined) return undefined;
  return {
    // The time it was made tells a file from the one that had its number before.
    id: { number: stats.ino, generation: BigInt.asUintN(64, stats.birthtimeNs) },
    type,
    mode: Number(stats.mode & PERMISSIONS),
    links: Number(stats.nlink),
    uid: owner?.uid ?? Number(stats.uid),
    gid: owner?.gid ?? Number(stats.gid),
    bytes: stats.size,
    usedBytes: stats.blocks * BLOCK_BYTES,
    accessedAt: timeOf(stats.atimeNs),
    modifiedAt: timeOf(stats.mtimeNs),
    changedAt: timeOf(stats.ctimeNs),
  };
}

function typeOf(stats: BigIntStats): FileAttributes["type"] | undefined {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSymbolicLink() ? "link" : undefined;
}

/** Times before 1970 have no form in NFSv3. */
function timeOf(nanoseconds: bigint): FileTime {
  const known = nanoseconds > 0n ? nanoseconds : 0n;
  return { seconds: Number(BigInt.asUintN(32, known / SECOND)), nanoseconds: Number(known % SECOND) };
}
