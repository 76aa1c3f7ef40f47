import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Strike } from "./child-command.ts";
import type { PracticeSite } from "./practice-site.ts";

/** Number of kills at steps in a test; OVAULT_KILLS changes it, and enough of them hit every step. */
export const KILLS_AT_STEPS = Number(process.env["OVAULT_KILLS"] ?? 4);
/** Number of kills at random moments; OVAULT_RANDOM_KILLS changes it. */
export const KILLS_AT_RANDOM = Number(process.env["OVAULT_RANDOM_KILLS"] ?? Math.ceil((KILLS_AT_STEPS * 2) / 3));

export interface PlannedStrike {
  readonly strike: Strike;
  /** For the message of a failed test. */
  readonly title: string;
}

/** Runs a command without a kill, which must succeed, and answers with its steps. */
export async function stepsOf(site: PracticeSite, args: readonly string[]): Promise<readonly string[]> {
  const file = join(await site.makeDirectory("steps"), randomUUID());
  const { exitCode, stderr } = await site.begin(args, { stepsFile: file }).ended;
  if (exitCode !== 0) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
  return (await readFile(file, "utf8")).trim().split("\n");
}

/**
 * Plans where to strike commands like this one: evenly over its steps, then at random. It runs once unharmed for that.
 *
 * @param share of the strikes that a test does; 1: all
 */
export async function planStrikes(
  site: PracticeSite,
  args: readonly string[],
  signal: Strike["signal"],
  share = 1,
): Promise<readonly PlannedStrike[]> {
  const startedAt = performance.now();
  const steps = await stepsOf(site, args);
  const lastMs = performance.now() - startedAt;
  const count = Math.min(Math.ceil(KILLS_AT_STEPS * share), steps.length);
  const atSteps = Array.from({ length: count }, (_, index) => 1 + Math.floor(((index + 0.5) * steps.length) / count));
  return [
    ...atSteps.map((step) => strikeAtStep(steps, step, signal)),
    ...Array.from({ length: Math.ceil(KILLS_AT_RANDOM * share) }, () => {
      const ms = Math.round(Math.random() * lastMs);
      return { strike: { signal, at: { ms } }, title: `${signal} after ${ms} ms of ${Math.round(lastMs)}` };
    }),
  ];
}

/** Steps count from 1. */
export function strikeAtStep(steps: readonly string[], step: number, signal: Strike["signal"]): PlannedStrike {
  return {
    strike: { signal, at: { step } },
    title: `${signal} at step ${step} of ${steps.length} (${steps[step - 1]})`,
  };
}
