/** What a caller may do about an error: never repeat, repeat the same call, or give up because repeating was tried. */
export type RetryClass = "never" | "transient" | "exhausted";

/** Plain facts that belong to an error: ids, keys, sizes. Never a secret. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | null>>;

export interface ErrorOptionsWithHint {
  readonly cause?: unknown;
  readonly context?: ErrorContext;
  /** The next step, written for a person. */
  readonly hint?: string;
  readonly retry?: RetryClass;
}

/**
 * The root of every error ovault raises on purpose. `code` is stable across releases and is what exit codes, tests and
 * scripts rely on; the message names the thing and the reason, the hint names the next step.
 */
export class OvaultError extends Error {
  readonly code: string = "E_INTERNAL";
  readonly retry: RetryClass;
  readonly context: ErrorContext;
  readonly hint: string | undefined;

  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.retry = options.retry ?? "never";
    this.context = options.context ?? {};
    this.hint = options.hint;
  }
}

/** True for an ovault error with this code. */
export function hasCode(error: unknown, code: string): error is OvaultError {
  return error instanceof OvaultError && error.code === code;
}

/** True when the same call may be repeated with a chance of success. */
export function isTransient(error: unknown): boolean {
  return error instanceof OvaultError && error.retry === "transient";
}
