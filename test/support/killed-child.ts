import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { tally } from "@ovault/testkit";

import { bundleProgram } from "./bundle-program.ts";

const LANES = 2;
const STEPS = fileURLToPath(new URL("run-steps.ts", import.meta.url));

/** A program beside this file, in a process of its own that kills itself at a step of run-steps.ts. */
export interface KillableProgram {
  readonly program: string;
  readonly args: readonly string[];
  /** For what all of them share. */
  readonly directory: string;
}

/** Makes the program ready to be killed: lets it run unharmed, and answers how many steps it has. */
export async function countSteps(killable: KillableProgram): Promise<number> {
  await bundleProgram(fileURLToPath(new URL(killable.program, import.meta.url)), bundleOf(killable));
  const stepsFile = join(killable.directory, "steps");
  const { code } = await run(killable, { OVAULT_STEPS_FILE: stepsFile });
  if (code !== 0) throw new Error(`${killable.program} ended with ${code}`);
  return (await readFile(stepsFile, "utf8")).trim().split("\n").length;
}

/** `kill -9` at this step, from 1. */
export async function killAt(killable: KillableProgram, step: number): Promise<void> {
  const { code, signal } = await run(killable, { OVAULT_STEP: String(step), OVAULT_STEP_SIGNAL: "SIGKILL" });
  if (signal !== "SIGKILL") throw new Error(`${killable.program} ended with ${code} before step ${step}`);
  tally("kills");
}

/** Calls back for each of a number of kills, two at a time, with steps spread evenly over all. */
export async function forEachKill(
  { steps, kills }: { readonly steps: number; readonly kills: number },
  work: (kill: number, step: number) => Promise<void>,
): Promise<void> {
  const lane = async (first: number): Promise<void> => {
    for (let kill = first; kill < kills; kill += LANES) await work(kill, 1 + Math.floor((kill * steps) / kills));
  };
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
}

function bundleOf({ directory }: KillableProgram): string {
  return join(directory, "program.mjs");
}

async function run(
  killable: KillableProgram,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
  const child = spawn(process.execPath, ["--import", STEPS, bundleOf(killable), ...killable.args], {
    // What is compiled goes with the bundle.
    env: { ...process.env, NODE_COMPILE_CACHE: join(killable.directory, "compiled"), ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code, signal]: [number | null, NodeJS.Signals | null] = await once(child, "close").then(([c, s]) => [c, s]);
  return { code, signal };
}
