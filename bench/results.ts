import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import type { Machine } from "./machine.ts";
import type { Measurement } from "./measure.ts";
import { median } from "./median.ts";

/** Output of `--json`. */
export interface Results {
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  readonly cases: readonly CaseResult[];
}

export interface CaseResult {
  readonly name: string;
  /** By contender, ours first. */
  readonly medians: Readonly<Record<string, Measurement>>;
  /** Our wall time over theirs: the median of the rounds' ratios. */
  readonly ratios: Readonly<Record<string, number>>;
  /** All measurements, by contender and round. */
  readonly rounds: Readonly<Record<string, readonly Measurement[]>>;
}

/** @param rounds of each contender, equally many; ours first */
export function caseResult(name: string, rounds: CaseResult["rounds"]): CaseResult {
  const [[, ours] = ["", []], ...others] = Object.entries(rounds);
  const ratio = (theirs: readonly Measurement[]): number =>
    median(theirs.map(({ wall }, round) => (ours[round]?.wall ?? Number.NaN) / wall));
  return {
    name,
    medians: Object.fromEntries(Object.entries(rounds).map(([who, rows]) => [who, medianOf(rows)])),
    ratios: Object.fromEntries(others.map(([who, theirs]) => [who, ratio(theirs)])),
    rounds,
  };
}

export async function writeResults(file: string, results: Results): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`);
}

function medianOf(rows: readonly Measurement[]): Measurement {
  const of = (pick: (row: Measurement) => number | undefined): number =>
    median(rows.map(pick).filter((value) => value !== undefined));
  const names = Object.keys(rows[0]?.figures ?? {});
  return {
    wall: of(({ wall }) => wall),
    cpu: of(({ cpu }) => cpu),
    rssMiB: of(({ rssMiB }) => rssMiB),
    ...(rows[0]?.storedMiB !== undefined && { storedMiB: of(({ storedMiB }) => storedMiB) }),
    ...(names.length > 0 && {
      figures: Object.fromEntries(names.map((name) => [name, of(({ figures }) => figures?.[name])])),
    }),
  };
}
