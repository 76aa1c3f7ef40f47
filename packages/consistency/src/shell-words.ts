import type { Environment } from "./environment.ts";

/** A single word for a POSIX shell that stands for exactly this text. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A line for a POSIX shell: the environment, then the program with its arguments, or the line unchanged. */
export function shellLine(run: string | readonly string[], environment: Environment): string {
  const line = typeof run === "string" ? run : run.map(quoted).join(" ");
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`);
  return variables.length === 0 ? line : `export ${variables.join(" ")}; ${line}`;
}
