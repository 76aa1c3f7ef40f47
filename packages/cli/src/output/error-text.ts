import { inspect } from "node:util";

import { OvaultError } from "@ovault/contract";
import { errorSummary } from "@ovault/operations";

import { optionOf } from "./option-of.ts";

/** An error for people: the failure and the next step; with `debug` also stack, context and causes. */
export function errorText(error: unknown, debug: boolean): string {
  const { message, hint } = errorSummary(error, optionOf);
  const lines = [`ovault: ${message}`];
  if (hint !== null) lines.push(`  hint: ${hint}`);
  if (debug) lines.push(inspect(error, { depth: 5 }));
  else if (!(error instanceof OvaultError))
    lines.push("  hint: This is a fault in ovault or in a plugin. Run again with --debug to see where.");
  return lines.join("\n");
}

/** One JSON object on one line. */
export function errorJson(error: unknown): string {
  return JSON.stringify({ error: errorSummary(error, optionOf) });
}
