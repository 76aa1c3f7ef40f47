import { readFile } from "node:fs/promises";

import type { Strike } from "./child-command.ts";
import type { PracticeSite } from "./practice-site.ts";

/** How many strikes at steps a test does; OVAULT_KILLS changes it, and enough of them hit every step. */
export const KILLS_AT_STEPS = Number(process.env["OVAULT_KILLS"] ?? 6);
/** How many strikes at random moments. */
export const KILLS_AT_RANDOM = Math.ceil((KILLS_AT_STEPS * 2) / 3);

export interface PlannedStrike {
  readonly strike: Strike;
  /** For the message of a failed test. */
  readonly title: string;
}

/** Lets a command run unharmed and plans where to strike the next ones like it: evenly over its steps, then at random. */
export async function planStrikes(
  site: PracticeSite,
  args: readonly string[],
  { signal, atRandom = KILLS_AT_RANDOM }: { readonly signal: Strike["signal"]; readonly atRandom?: number },
): Promise<readonly PlannedStrike[]> {
  const stepsFile = site.file("steps", String(performance.now()));
  await site.makeDirectory("steps");
  const startedAt = performance.now();
  const { exitCode, stderr } = await site.begin(args, { stepsFile }).ended;
  const lastMs = performance.now() - startedAt;
  if (exitCode !== 0) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
  const steps = (await readFile(stepsFile, "utf8")).trim().split("\n");
  const count = Math.min(KILLS_AT_STEPS, steps.length);
  const atSteps = Array.from({ length: count }, (_, index) => 1 + Math.floor(((index + 0.5) * steps.length) / count));
  return [
    ...atSteps.map((step) => ({
      strike: { signal, at: { step } },
      title: `${signal} at step ${step} of ${steps.length} (${steps[step - 1]})`,
    })),
    ...Array.from({ length: atRandom }, () => {
      const ms = Math.round(Math.random() * lastMs);
      return { strike: { signal, at: { ms } }, title: `${signal} after ${ms} ms of ${Math.round(lastMs)}` };
    }),
  ];
}
