import { messageOf, OvaultError, type ErrorContext, type RetryClass } from "@ovault/contract";

import { errorKind, isAbort, type ErrorKind } from "./error-kind.ts";

/** The parts of an error for programs. */
export interface ErrorSummary {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly message: string;
  readonly hint: string | null;
  readonly retry: RetryClass;
  readonly context: ErrorContext;
}

export function errorSummary(error: unknown): ErrorSummary {
  const [kind, message] = [errorKind(error), messageOf(error)];
  if (!(error instanceof OvaultError)) {
    return {
      code: isAbort(error) ? "E_CANCELLED" : "E_INTERNAL",
      kind,
      message,
      hint: null,
      retry: "never",
      context: {},
    };
  }
  const { code, hint = null, retry, context } = error;
  return { code, kind, message, hint, retry, context };
}
