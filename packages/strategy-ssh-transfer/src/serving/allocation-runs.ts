import { ALLOCATION, BASE_ALLOCATION, NbdProtocolError, type BlockStatus } from "@ovault/nbd";

/** How many layers down a range is allocated; 0: in none of those that are served. */
const DEPTH = "qemu:allocation-depth";

/** The metadata contexts that tell what is allocated. */
export const CONTEXTS: readonly string[] = [BASE_ALLOCATION, DEPTH];

/** A run of bytes of a served image. */
export interface AllocationRun {
  readonly length: number;
  /** No layer holds it. */
  readonly isHole: boolean;
  readonly isZero: boolean;
}

/**
 * The runs that all contexts answered for. QEMU from 6.1 on calls zeros that are allocated holes as well, but tells the
 * depth; before 5.2 it does not, and its holes are what no layer holds.
 */
export function allocationRuns(answers: ReadonlyMap<string, readonly BlockStatus[]>): readonly AllocationRun[] {
  const allocation = answers.get(BASE_ALLOCATION) ?? [];
  const depths = answers.get(DEPTH);
  const runs =
    depths === undefined ? allocation.map(({ length, flags }) => run(length, flags)) : joined(allocation, depths);
  if (runs.length === 0) throw new NbdProtocolError("the server does not tell what is allocated");
  return runs;
}

function run(length: number, flags: number, depth?: number): AllocationRun {
  const isHole = depth === undefined ? (flags & ALLOCATION.hole) !== 0 : depth === 0;
  return { length, isHole, isZero: (flags & ALLOCATION.zero) !== 0 };
}

/** Cuts the runs of both where those of either end. */
function joined(allocation: readonly BlockStatus[], depths: readonly BlockStatus[]): readonly AllocationRun[] {
  const runs: AllocationRun[] = [];
  let [depthAt, left] = [0, depths[0]?.length ?? 0];
  for (const { length, flags } of allocation) {
    for (let rest = length; rest > 0;) {
      const depth = depths[depthAt];
      if (depth === undefined) return runs;
      const both = Math.min(rest, left);
      if (both > 0) runs.push(run(both, flags, depth.flags));
      rest -= both;
      left -= both;
      if (left === 0) left = depths[(depthAt += 1)]?.length ?? 0;
    }
  }
  return runs;
}
