/**
 * Measures ovault beside its peers: `npm run bench [-- CASE…] [--rounds N] [--json FILE]`. The first word of names of
 * cases stands for all of them.
 *
 * In each round all contenders of a case run one after the other, so that a machine that slows down slows all of them;
 * the ratio is taken round by round. One round before the first is not counted.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";

import { cases, type Case, type Contender } from "./cases.ts";
import { measure, median, type Measurement } from "./measure.ts";

interface CaseResult {
  readonly name: string;
  /** By contender. */
  readonly medians: Readonly<Record<string, Measurement>>;
  /** Our wall time over theirs: the median of the rounds' ratios. */
  readonly ratios: Readonly<Record<string, number>>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" }, json: { type: "string" } },
});
const isMeant = (name: string, given: string): boolean => name === given || name.startsWith(`${given}-`);
const all = Object.keys(cases);
const unknown = positionals.filter((given) => !all.some((name) => isMeant(name, given)));
if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(", ")}; there are ${all.join(", ")}`);
const names = positionals.length === 0 ? all : all.filter((name) => positionals.some((given) => isMeant(name, given)));

const results: CaseResult[] = [];
for (const name of names) {
  const opened = await cases[name]?.();
  if (opened === undefined) continue;
  try {
    results.push(await runCase(opened, Number(values.rounds)));
  } finally {
    await opened.close();
  }
}
if (values.json !== undefined) {
  await mkdir(dirname(values.json), { recursive: true });
  await writeFile(values.json, `${JSON.stringify({ cases: results }, undefined, 2)}\n`);
}

async function runCase(opened: Case, rounds: number): Promise<CaseResult> {
  const contenders = [opened.ours, ...opened.others];
  const taken = new Map<string, Measurement[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const contender of contenders) {
      const measured = await runOnce(contender);
      print(`${opened.name}  round ${round}  ${contender.name}  ${textOf(measured)}`);
      if (round > 0) taken.get(contender.name)?.push(measured);
    }
  }
  const medians = Object.fromEntries([...taken].map(([name, rows]) => [name, medianOf(rows)]));
  const ours = taken.get(opened.ours.name) ?? [];
  const ratios = Object.fromEntries(
    opened.others.map(({ name }) => [
      name,
      median((taken.get(name) ?? []).map((other, round) => (ours[round]?.wall ?? Number.NaN) / other.wall)),
    ]),
  );
  const text = Object.entries(ratios).map(([name, ratio]) => `${ratio.toFixed(2)} x ${name}`);
  print(`${opened.name}  median  ${textOf(medians[opened.ours.name] ?? { wall: 0, cpu: 0 })}  ${text.join("  ")}`);
  return { name: opened.name, medians, ratios };
}

async function runOnce({ prepare, command }: Contender): Promise<Measurement> {
  await prepare();
  return measure(command());
}

function medianOf(rows: readonly Measurement[]): Measurement {
  const of = (pick: (row: Measurement) => number | undefined): number =>
    median(rows.map(pick).filter((value) => value !== undefined));
  const optional = (key: "rssMiB" | "storedMiB") =>
    rows[0]?.[key] === undefined ? {} : { [key]: of((row) => row[key]) };
  const figures = Object.keys(rows[0]?.figures ?? {}).map((name) => [name, of((row) => row.figures?.[name])] as const);
  return {
    wall: of((row) => row.wall),
    cpu: of((row) => row.cpu),
    ...optional("rssMiB"),
    ...optional("storedMiB"),
    ...(figures.length > 0 && { figures: Object.fromEntries(figures) }),
  };
}

function textOf({ wall, cpu, rssMiB, storedMiB, figures = {} }: Measurement): string {
  const parts = [`wall ${wall.toFixed(2)} s`, `CPU ${cpu.toFixed(2)} s`];
  if (rssMiB !== undefined) parts.push(`RSS ${rssMiB.toFixed(0)} MiB`);
  if (storedMiB !== undefined) parts.push(`stored ${storedMiB.toFixed(0)} MiB`);
  for (const [name, value] of Object.entries(figures)) {
    parts.push(`${name} ${value.toLocaleString("en", { maximumSignificantDigits: 3 })}`);
  }
  return parts.join("  ");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
