import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { onTestFinished } from "vitest";

import { run } from "./commands.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { until } from "./until.ts";

/** Starts a real agent for one test, with these keys. Resolves to its socket. */
export async function startAgent(...keys: readonly string[]): Promise<string> {
  const socket = join(await temporaryDirectory(), "agent");
  const agent: ChildProcess = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  onTestFinished(async () => {
    agent.kill();
    await once(agent, "exit");
  });
  await until("the agent answers", async () => {
    return await run("ssh-add", ["-l"], { SSH_AUTH_SOCK: socket }).then(
      () => true,
      (error: { code?: unknown }) => error.code === 1,
    );
  });
  for (const key of keys) await run("ssh-add", ["-q", key], { SSH_AUTH_SOCK: socket });
  return socket;
}
