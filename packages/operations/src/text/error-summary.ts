import { jobField, messageOf, OvaultError, type ErrorContext, type FieldName, type RetryClass } from "@ovault/contract";

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

/** @param field how texts name fields of jobs */
export function errorSummary(error: unknown, field: FieldName = jobField): ErrorSummary {
  const kind = errorKind(error);
  if (!(error instanceof OvaultError)) {
    const code = isAbort(error) ? "E_CANCELLED" : "E_INTERNAL";
    return { code, kind, message: messageOf(error), hint: null, retry: "never", context: {} };
  }
  const { code, retry, context } = error;
  const { message, hint = null } = error.inWordsOf(field);
  return { code, kind, message, hint, retry, context };
}
