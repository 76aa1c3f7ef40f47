import type { Measurement } from "./measure.ts";

/** One readable line. */
export function measurementText({ wall, cpu, rssMiB, storedMiB, figures = {} }: Measurement): string {
  const parts = [`wall ${wall.toFixed(2)} s`, `CPU ${cpu.toFixed(2)} s`, `RSS ${rssMiB.toFixed(0)} MiB`];
  if (storedMiB !== undefined) parts.push(`stored ${storedMiB.toFixed(0)} MiB`);
  return [...parts, ...figureTexts(figures)].join("  ");
}

export function figureTexts(figures: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(figures).map(
    ([name, value]) => `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ${name}`,
  );
}
