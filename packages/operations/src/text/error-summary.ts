import { messageOf, OvaultError, type ErrorContext, type RetryClass } from "@ovault/contract";

/** The parts of an error for programs. */
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
