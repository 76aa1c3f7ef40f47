import { quoted } from "@ovault/ssh";

import type { Environment } from "./environment.ts";

/** A line for a POSIX shell: the environment, then the program with its arguments, or the line unchanged. */
export function shellLine(run: string | readonly string[], environment: Environment): string {
  const line = typeof run === "string" ? run : run.map(quoted).join(" ");
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`);
  return variables.length === 0 ? line : `export ${variables.join(" ")}; ${line}`;
}
