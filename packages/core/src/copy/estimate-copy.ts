import type { RecoveryPoint } from "@ovault/contract";
import { nameOfCopy } from "../points/copy-name.ts";
import { ChunkSet } from "../repository/chunks/chunk-set.ts";
import { findCopyBase } from "./copy-base.ts";
import { openCopySources } from "./copy-source.ts";
import { areRepositories, type CopiedRepositories, type CopyStores } from "./copy-stores.ts";
import { NOTHING_COPIED } from "./copy-totals.ts";
import { findCopy } from "./find-copy.ts";
import { findReference, openReference } from "./find-reference.ts";
import { planCopy } from "./plan-copy.ts";
import type { CopiedPoint } from "./point-copy.ts";

export interface EstimateOptions extends CopyStores {
  readonly sameIds: boolean;
  readonly point: RecoveryPoint;
  readonly signal: AbortSignal;
}

/** What a copy would have to read. Reads no data; cannot estimate what a copy would store. */
export async function estimateCopy(options: EstimateOptions): Promise<CopiedPoint> {
  const { to, point, signal } = options;
  const copyId = await nameOfCopy(to.points, point, signal);
  const found = await findCopy(to, { vm: point.vm, id: copyId }, signal);
  if (found?.isWhole === true) return { outcome: "present", copyId, ...NOTHING_COPIED };
  const doneBytes = point.disks.reduce((sum, { stats }) => sum + stats.logicalBytes, 0);
  const readBytes = await (areRepositories(options) ? chunksToRead(options) : dataToRead(options));
  return { outcome: found === undefined ? "copied" : "healed", copyId, doneBytes, readBytes, storedBytes: 0 };
}

async function chunksToRead(options: EstimateOptions & CopiedRepositories): Promise<number> {
  const { from, to, sameIds, point, signal } = options;
  const reference = sameIds ? undefined : await findReference(options, point, signal);
  const counted = new ChunkSet(from.index);
  let bytes = 0;
  for (const record of point.disks) {
    const map = await from.openMap(point, record, signal);
    const opened = reference === undefined ? undefined : await openReference(options, reference, record, signal);
    for await (const item of planCopy(map, opened?.source, signal)) {
      if (item.kind !== "block" || (sameIds && to.index.has(item.id)) || !counted.add(item.id)) continue;
      const offset = item.block * point.blockBytes;
      bytes += Math.min(point.blockBytes, record.stats.logicalBytes - offset);
    }
  }
  return bytes;
}

async function dataToRead(options: EstimateOptions): Promise<number> {
  const { point, signal } = options;
  const base = await findCopyBase(options, point, signal);
  let bytes = 0;
  for (const source of await openCopySources({ ...options, base, lanes: 1 })) {
    try {
      for await (const { length, kind } of source.extents(signal)) bytes += kind === "data" ? length : 0;
    } finally {
      await source.release?.();
    }
  }
  return bytes;
}
