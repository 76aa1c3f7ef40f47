/**
 * Measures ovault beside its peers: `npm run bench [-- CASE…] [--rounds N] [--json FILE]`. The first words of a name
 * stand for all cases that begin with them. `--table FILE` measures nothing, and prints results that were written
 * before.
 */
import { mkdir, readFile } from "node:fs/promises";
import { parseArgs } from "node:util";

import { cases, slowCases } from "./cases.ts";
import { describeMachine } from "./machine.ts";
import { measurementText } from "./measurement-text.ts";
import { writeResults, type CaseResult } from "./results.ts";
import { runCase } from "./run-case.ts";
import { renderResults } from "./table.ts";
import { workDirectory } from "./work-directory.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" }, json: { type: "string" }, table: { type: "string" } },
});
await (values.table === undefined
  ? measureCases(namesOf(positionals), Number(values.rounds))
  : showTable(values.table));

async function measureCases(names: readonly string[], rounds: number): Promise<void> {
  await mkdir(workDirectory, { recursive: true });
  const [date, machine] = [new Date().toISOString(), await describeMachine()];
  const results: CaseResult[] = [];
  for (const name of names) {
    const result = await measureCase(name, rounds);
    print(summaryOf(result));
    results.push(result);
    // After each case, so that an interrupted run keeps its results.
    if (values.json !== undefined) await writeResults(values.json, { date, machine, cases: results });
  }
}

async function measureCase(name: string, rounds: number): Promise<CaseResult> {
  const opened = await cases[name]?.();
  if (opened === undefined) throw new Error(`there is no case ${name}`);
  try {
    return await runCase(opened, rounds, print);
  } finally {
    await opened.close?.();
  }
}

async function showTable(file: string): Promise<void> {
  print(renderResults(JSON.parse(await readFile(file, "utf8"))));
}

function namesOf(given: readonly string[]): readonly string[] {
  const all = Object.keys(cases);
  const unknown = given.filter((words) => !all.some((name) => isMeant(name, words)));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(", ")}; there are ${all.join(", ")}`);
  if (given.length === 0) return all.filter((name) => !slowCases.has(name));
  return all.filter((name) => given.some((words) => isMeant(name, words)));
}

function isMeant(name: string, words: string): boolean {
  return name === words || name.startsWith(`${words}-`);
}

function summaryOf({ name, medians, ratios }: CaseResult): string {
  const [ours] = Object.values(medians);
  const compared = Object.entries(ratios).map(([who, ratio]) => `  ${ratio.toFixed(2)} x ${who}`);
  return `${name}  median  ${ours === undefined ? "" : measurementText(ours)}${compared.join("")}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
