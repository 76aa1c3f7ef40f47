import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs a program to its end and resolves to its output; a failure rejects with its stderr in the message. */
export async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const options = { env: { ...process.env, ...env }, timeout: 50_000, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await execute(program, args, options);
  return stdout;
}
