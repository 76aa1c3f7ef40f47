import { createRunHooks, type RunHooks, type VirtualMachine } from "@ovault/contract";
import { Redactor, resolveSecret } from "@ovault/core";

import { consistencySchema } from "../../src/index.ts";
import type { Side } from "../../src/environment.ts";
import { type CommandHost, runCommand } from "../../src/run-command.ts";

export const never = new AbortController().signal;

/** A malicious name. */
export const HOSTILE_NAME = "web'01\"; touch /tmp/ovault-pwned; $(id)\n`id` \u001B[31m\0end";

export const vm: VirtualMachine = {
  id: "vm-1",
  name: HOSTILE_NAME,
  manager: "lab",
  status: "up",
  disks: [],
  attributes: {},
};

export function hostIn(baseDirectory: string): CommandHost {
  const redactor = new Redactor();
  return {
    baseDirectory,
    redact: (text) => redactor.redact(text),
    secret: async (reference) => {
      const value = await resolveSecret(reference, { baseDirectory });
      redactor.add(value);
      return value;
    },
  };
}

export interface Told {
  readonly hooks: RunHooks;
  readonly phases: string[];
  readonly warnings: string[];
}

export function listen(): Told {
  const hooks = createRunHooks();
  const phases: string[] = [];
  const warnings: string[] = [];
  hooks.phase.tap("test", ({ phase, detail }) => void phases.push(`${phase}: ${detail}`));
  hooks.warning.tap("test", (message) => void warnings.push(message));
  return { hooks, phases, warnings };
}

/** Runs one command as it is configured; returns the reports to the run. */
export async function run(
  command: object,
  options: { readonly directory: string; readonly side?: Side; readonly signal?: AbortSignal; readonly told?: Told },
): Promise<readonly string[]> {
  const { directory, side = "before", signal = never, told = listen() } = options;
  const parsed = consistencySchema.parse({ commands: { [side]: [command] } }).commands[side][0];
  if (parsed === undefined) throw new Error("no command");
  const occasion = { vm, runId: "run-1", side };
  await runCommand(parsed, { occasion, hooks: told.hooks, host: hostIn(directory), signal });
  return told.phases;
}

/** Runs something with more and more time, until it was long enough to begin with it on this machine. The last answer. */
export async function withTimeToBegin<T>(
  begun: () => boolean,
  work: (timeoutSeconds: number) => Promise<T>,
): Promise<T> {
  for (const timeoutSeconds of [2, 8]) {
    const answer = await work(timeoutSeconds);
    if (begun()) return answer;
  }
  return await work(30);
}
