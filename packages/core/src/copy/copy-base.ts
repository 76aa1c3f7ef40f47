import type { RecoveryPoint } from "@ovault/contract";
import { inOrder } from "../points/point-order.ts";
import type { CopyStores } from "./copy-stores.ts";
import { isSameTaken } from "./find-reference.ts";

/** What a copy begins as. */
export interface CopyBase {
  /** At the destination. */
  readonly there: RecoveryPoint;
  /** The same point at the source, if that has it. */
  readonly here: RecoveryPoint | undefined;
}

/**
 * The point of the machine whose images those of a copy begin as: the last one before it that has no losses, or the
 * first after it. A repository needs none: it finds what it has by itself.
 */
export async function findCopyBase(
  { from, to }: CopyStores,
  point: RecoveryPoint,
  signal: AbortSignal,
): Promise<CopyBase | undefined> {
  if (to.kind === "repository") return undefined;
  const { points } = await to.points.listOf(point.vm, signal);
  const ordered = inOrder([...points, point]);
  const at = ordered.indexOf(point);
  for (const there of [...ordered.slice(0, at).toReversed(), ...ordered.slice(at + 1)]) {
    if ((await to.lossesOfBase(there, signal)).length > 0) continue;
    const { points: own } = await from.points.listOf(point.vm, signal);
    return { there, here: own.find((candidate) => isSameTaken(candidate, there)) };
  }
  return undefined;
}
