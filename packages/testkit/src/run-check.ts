import { AssertionError } from "node:assert";

import { messageOf } from "@ovault/contract";

import type { Check } from "./check.ts";

export interface CheckResult {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Expected and actual result, or why it was skipped; empty when it passed. */
  readonly detail: string;
}

/** Runs one check without a test framework. @throws only the signal's reason */
export async function runCheck<T>(check: Check<T>, subject: T, signal: AbortSignal): Promise<CheckResult> {
  const { name } = check;
  signal.throwIfAborted();
  const reason = check.skipReason?.(subject);
  if (reason !== undefined) return { name, status: "skipped", detail: reason };
  try {
    await check.run(subject, signal);
    return { name, status: "passed", detail: "" };
  } catch (error) {
    signal.throwIfAborted();
    return { name, status: "failed", detail: whatCame(error) };
  }
}

function whatCame(error: unknown): string {
  const message = messageOf(error);
  if (error instanceof AssertionError) return message;
  return `expected no error, got ${error instanceof Error ? `${error.name}: ` : ""}${message}`;
}
