import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { workDirectory } from "./work-directory.ts";

/** Figures of one command with all the processes that it started and waited for, start-up included. */
export interface Measurement {
  /** Seconds. */
  readonly wall: number;
  /** Seconds, of user and system together. */
  readonly cpu: number;
  /** The peak of the largest process. */
  readonly rssMiB: number;
  readonly storedMiB?: number;
  /** Further figures, by label. */
  readonly figures?: Readonly<Record<string, number>>;
}

const TIMES = /^(?<user>[\d.]+) (?<system>[\d.]+) (?<rssKiB>\d+)$/m;

/** Runs a command to its end. GNU time takes the kernel's figures, so that all contenders are counted alike. */
export async function measure(command: readonly string[]): Promise<Measurement> {
  const report = join(workDirectory, "time");
  const startedAt = performance.now();
  const child = spawn("time", ["-f", "%U %S %M", "-o", report, "--", ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  const wall = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`${command.join(" ")} failed (${code}): ${errors}${output}`);
  const times = TIMES.exec(await readFile(report, "utf8"))?.groups ?? {};
  return {
    wall,
    cpu: Number(times["user"]) + Number(times["system"]),
    rssMiB: Number(times["rssKiB"]) / 1024,
    ...figuresIn(output),
  };
}

/** A worker of the benchmarks may end with a line of figures. */
function figuresIn(output: string): Pick<Measurement, "figures"> {
  const last = output.trim().split("\n").at(-1) ?? "";
  return last.startsWith('{"figures":') ? JSON.parse(last) : {};
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = "";
  stream.setEncoding("utf8");
  for await (const part of stream) all += String(part);
  return all;
}
