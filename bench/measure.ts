import { spawn } from "node:child_process";

/** One process as a whole. Seconds; `rssMiB` is the peak, where the process tells it. */
export interface Measurement {
  readonly wall: number;
  readonly cpu: number;
  readonly rssMiB?: number;
  readonly storedMiB?: number;
  /** What else a worker measured, by what to call it. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** What a benchmark worker prints as its last line about itself. */
type WorkerReport = Pick<Measurement, "rssMiB" | "storedMiB" | "figures">;

const TIMES = /^ovault-bench (?<wall>[\d.]+) (?<user>[\d.]+) (?<system>[\d.]+)$/m;

/** Runs a command and times it with the shell's own clock, so that start-up counts for everyone alike. */
export async function measure(command: readonly string[]): Promise<Measurement> {
  const script = 'TIMEFORMAT="ovault-bench %R %U %S"; time "$@"';
  const child = spawn("bash", ["-c", script, "bash", ...command], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once("close", resolve)),
  ]);
  const times = TIMES.exec(errors)?.groups;
  if (code !== 0 || times === undefined) throw new Error(`${command.join(" ")} failed (${code}): ${errors}`);
  const cpu = Number(times["user"]) + Number(times["system"]);
  return { wall: Number(times["wall"]), cpu, ...reportOf(output) };
}

function reportOf(output: string): WorkerReport {
  const last = output.trim().split("\n").at(-1) ?? "";
  return last.startsWith("{") ? (JSON.parse(last) as WorkerReport) : {};
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = "";
  stream.setEncoding("utf8");
  for await (const part of stream) all += String(part);
  return all;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
