import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import type { OvaultOptions, OvaultResult } from "./run-ovault.ts";

const LAUNCHER = fileURLToPath(new URL("../bin/ovault.js", import.meta.url));

/** Runs the real command line in a process of its own, as a user starts it. */
export async function launchOvault(args: readonly string[], { cwd, env = {} }: OvaultOptions): Promise<OvaultResult> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject).once("close", resolve);
  return { exitCode: await promise, stdout, stderr };
}
