import { inspect } from "node:util";

import { messageOf, OvaultError, type ErrorContext, type RetryClass } from "@ovault/contract";

/** An error for people: what went wrong and the next step; with `debug` also stack, context and causes. */
export function errorText(error: unknown, debug: boolean): string {
  const lines = [`ovault: ${messageOf(error)}`];
  if (error instanceof OvaultError && error.hint !== undefined) lines.push(`  hint: ${error.hint}`);
  if (debug) lines.push(inspect(error, { depth: 5 }));
  else if (!(error instanceof OvaultError))
    lines.push("  hint: This is a fault in ovault or in a plugin. Run again with --debug to see where.");
  return lines.join("\n");
}

/** What a program may know of an error. */
export interface ErrorSummary {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly retry: RetryClass;
  readonly context: ErrorContext;
}

export function errorSummary(error: unknown): ErrorSummary {
  const message = messageOf(error);
  if (!(error instanceof OvaultError)) return { code: "E_INTERNAL", message, hint: null, retry: "never", context: {} };
  const { code, hint = null, retry, context } = error;
  return { code, message, hint, retry, context };
}

/** One JSON object on one line. */
export function errorJson(error: unknown): string {
  return JSON.stringify({ error: errorSummary(error) });
}
