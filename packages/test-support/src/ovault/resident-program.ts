/** Runs command lines as its parent tells, each as if the process were its own: place, environment, output, exit code. */
import { main } from "@ovault/cli";
import type { ResidentCommand } from "./resident-ovault.ts";
import type { OvaultResult } from "./run-ovault.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Collects what is written instead of writing it. Answers with a way to take it. */
function divert(stream: NodeJS.WriteStream): () => string {
  let text = "";
  stream.write = (piece: string | Uint8Array) => {
    text += typeof piece === "string" ? piece : Buffer.from(piece).toString("utf8");
    return true;
  };
  return () => {
    const taken = text;
    text = "";
    return taken;
  };
}

const takeOut = divert(process.stdout);
const takeErr = divert(process.stderr);

async function run({ args, cwd, env }: ResidentCommand): Promise<OvaultResult> {
  process.chdir(cwd);
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  process.argv.splice(2, Infinity, ...args);
  process.exitCode = 0;
  await main(args);
  const { exitCode } = process;
  // What a command listens to until its process ends.
  process.stdout.removeAllListeners("error");
  for (const name of SIGNALS) process.removeAllListeners(name);
  return { exitCode: Number(exitCode), stdout: takeOut(), stderr: takeErr() };
}

process.on("message", (command: ResidentCommand) => {
  void run(command).then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit());
