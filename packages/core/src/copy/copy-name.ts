import { type RecoveryPoint, IntegrityError } from "@ovault/contract";
import { originOf } from "../repository/points/point-id.ts";
import type { Repository } from "../repository/repository.ts";

/** Copiers of one point that were replaced, at most. */
const MOST_NAMES = 1000;

/**
 * The id under which the copy of a point lies at the destination, or may be sealed there: the point's own, unless a void
 * stands in its place, which a copier that was replaced may still try to seal. Then the next: `ID-copy2`, `ID-copy3`. A
 * void is never taken away, so that at most one of these ids comes to be, and no copier puts what another one relied on.
 */
export async function nameOfCopy(to: Repository, { vm, id }: RecoveryPoint, signal: AbortSignal): Promise<string> {
  const origin = originOf(id);
  for (let number = 1; number <= MOST_NAMES; number += 1) {
    const name = number === 1 ? origin : `${origin}-copy${number}`;
    if ((await to.points.stateOf({ vm, id: name }, signal)) !== "void") return name;
  }
  throw new IntegrityError(`${MOST_NAMES} copies of ${id} were replaced at the destination: no run does that`, {
    context: { point: id },
    hint: "Look at what lies beside this point in the destination, and who put it there.",
  });
}
