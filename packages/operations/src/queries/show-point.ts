import type { RecoveryPoint } from "@ovault/contract";
import { type DiskLosses, lossesOfMarked } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { findPoint } from "../select/find-point.ts";

/** The whole manifest, and the known losses of its disks. */
export interface ShownPoint extends RecoveryPoint {
  readonly lost: readonly DiskLosses[];
}

export interface PointQuery {
  /** Id, a unique beginning of it, or `VM@latest`. */
  readonly point: string;
  /** Only points of this manager's machines. */
  readonly manager?: string | undefined;
  /** Default: the default destination. */
  readonly from?: string | undefined;
}

/** Checks chunks recorded as damaged; reads no data. */
export async function showPoint(
  installation: Installation,
  { point: wanted, manager, from }: PointQuery,
  context: Pick<OperationContext, "signal" | "reporter">,
): Promise<ShownPoint> {
  const store = await installation.points(from);
  const point = await findPoint(store, wanted, context, { manager });
  const losses = await lossesOfMarked(store, [point], context.signal);
  return { ...point, lost: losses.get(point.id) ?? [] };
}
