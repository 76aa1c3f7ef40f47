import type { RecoveryPoint } from "@ovault/contract";
import { type DiskLosses, lossesOfMarked } from "@ovault/core";

import type { PointsOfDestination } from "../installation/installation.ts";

/** What earlier commands found to be lost of these points, by point id. Only a repository remembers it. */
export async function knownLosses(
  store: PointsOfDestination,
  points: readonly RecoveryPoint[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly DiskLosses[]>> {
  return store.kind === "repository" ? await lossesOfMarked(store, points, signal) : new Map();
}
