import { type RecoveryPoint, IntegrityError } from "@ovault/contract";
import { originOf } from "./point-id.ts";
import type { RecoveryPoints } from "./recovery-points.ts";

/** Limit of replaced copiers of one point. */
const MOST_NAMES = 1000;

/**
 * The id under which the copy of a point is, or may be, sealed at the destination: the point's own, unless a void
 * stands in its place, because a replaced copier may still try to seal it. Then the next: `ID-copy2`, `ID-copy3`. Voids
 * are never deleted, so at most one of these ids exists, and no copier overwrites what another one relies on.
 */
export async function nameOfCopy(to: RecoveryPoints, { vm, id }: RecoveryPoint, signal: AbortSignal): Promise<string> {
  const origin = originOf(id);
  for (let number = 1; number <= MOST_NAMES; number += 1) {
    const name = number === 1 ? origin : `${origin}-copy${number}`;
    if ((await to.stateOf({ vm, id: name }, signal)) !== "void") return name;
  }
  throw new IntegrityError(`${MOST_NAMES} copies of ${id} were replaced at the destination: no run does that`, {
    context: { point: id },
    hint: "Find out what wrote the objects beside this point in the destination.",
  });
}
