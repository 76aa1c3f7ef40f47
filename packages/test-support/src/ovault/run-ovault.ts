import { ResidentOvault } from "./resident-ovault.ts";

export interface OvaultResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OvaultOptions {
  readonly cwd: string;
  /** Beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

const idle: ResidentOvault[] = [];

/**
 * Runs the real command line, in a process that goes on to the next one afterwards: loading a program costs many times
 * what most of its commands do. What is about the process itself (signals, how it starts and ends) needs one of its own.
 */
export async function runOvault(args: readonly string[], options: OvaultOptions): Promise<OvaultResult> {
  const resident = idle.pop() ?? new ResidentOvault();
  const result = await resident.run(args, options);
  if (resident.lives) idle.push(resident);
  return result;
}
