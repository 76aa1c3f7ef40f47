import type { Machine } from "./machine.ts";
import type { Measurement } from "./measure.ts";
import { figureTexts } from "./measurement-text.ts";
import type { CaseResult, Results } from "./results.ts";

const HEADINGS = ["case", "contender", "wall", "CPU", "peak RSS", "stored", "ours ÷ theirs", "besides"];

/** The results of a run as Markdown. */
export function renderResults({ date, machine, cases }: Results): string {
  const rows = [HEADINGS, HEADINGS.map(() => "---"), ...cases.flatMap(rowsOf)];
  return `${date.slice(0, 10)}, ${machineText(machine)}\n\n${rows.map(lineOf).join("\n")}\n`;
}

function machineText({ processor, cores, memoryGiB, system, kernel, fileSystem, versions }: Machine): string {
  const programs = Object.entries(versions).map(([program, version]) => `${program} ${version}`);
  const place = `${cores} cores (${processor}), ${memoryGiB} GiB, ${system}, Linux ${kernel}, ${fileSystem}`;
  return `${place}; ${programs.join(", ")}.`;
}

function rowsOf({ name, medians, ratios }: CaseResult): readonly (readonly string[])[] {
  return Object.entries(medians).map(([who, measured], index) => [
    index === 0 ? `\`${name}\`` : "",
    who,
    ...cellsOf(measured),
    ratios[who]?.toFixed(2) ?? "",
    figureTexts(measured.figures ?? {}).join(", "),
  ]);
}

function cellsOf({ wall, cpu, rssMiB, storedMiB }: Measurement): readonly string[] {
  return [
    seconds(wall),
    seconds(cpu),
    `${rssMiB.toFixed(0)} MiB`,
    storedMiB === undefined ? "" : `${storedMiB.toFixed(0)} MiB`,
  ];
}

function seconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}

function lineOf(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
