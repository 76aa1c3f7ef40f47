import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { systemErrorCode } from "@ovault/contract";

const run = promisify(execFile);
const MOST_OUTPUT_BYTES = 4 * 1024 * 1024;

export interface ToolCall {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Runs a program of the system; undefined when it is not installed. @throws its output on stderr when it fails */
export async function runTool(
  program: string,
  args: readonly string[],
  { timeoutMs, signal }: ToolCall,
): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, args, {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: MOST_OUTPUT_BYTES,
      signal,
      // Cron and sudo omit these directories; and LVM complains about file descriptors of ours.
      env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`, LVM_SUPPRESS_FD_WARNINGS: "1" },
    });
    return stdout;
  } catch (error) {
    signal.throwIfAborted();
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
