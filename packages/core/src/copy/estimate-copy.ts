import type { RecoveryPoint } from "@ovault/contract";
import { NOTHING_COPIED } from "./copy-disk.ts";
import { ChunkSet } from "../repository/chunks/chunk-set.ts";
import type { Repository } from "../repository/repository.ts";
import { nameOfCopy } from "./copy-name.ts";
import { findReference, openReference } from "./find-reference.ts";
import { planCopy } from "./plan-copy.ts";
import type { CopiedPoint } from "./point-copy.ts";

export interface EstimateOptions {
  readonly from: Repository;
  readonly to: Repository;
  readonly sameIds: boolean;
  readonly point: RecoveryPoint;
  readonly signal: AbortSignal;
}

/** What a copy would have to read. Reads block maps only; cannot estimate what a copy would store. */
export async function estimateCopy(options: EstimateOptions): Promise<CopiedPoint> {
  const { from, to, sameIds, point, signal } = options;
  const name = await nameOfCopy(to, point, signal);
  const state = await to.points.stateOf({ vm: point.vm, id: name }, signal);
  const there = typeof state === "string" ? undefined : state;
  if (there !== undefined && (await to.lossesOfBase(there, signal)).length === 0) {
    return { outcome: "present", copyId: name, ...NOTHING_COPIED };
  }
  const reference = sameIds ? undefined : await findReference(options, point, signal);
  const counted = new ChunkSet(from.index);
  let totals = NOTHING_COPIED;
  for (const record of point.disks) {
    const map = await from.openMap(point, record, signal);
    const opened = reference === undefined ? undefined : await openReference(options, reference, record, signal);
    let readBytes = 0;
    for await (const item of planCopy(map, opened, signal)) {
      if (item.kind !== "block" || (sameIds && to.index.has(item.id)) || !counted.add(item.id)) continue;
      const offset = item.block * point.blockBytes;
      readBytes += Math.min(point.blockBytes, record.stats.logicalBytes - offset);
    }
    totals = {
      ...totals,
      doneBytes: totals.doneBytes + record.stats.logicalBytes,
      readBytes: totals.readBytes + readBytes,
    };
  }
  return { outcome: there === undefined ? "copied" : "healed", copyId: name, ...totals };
}
