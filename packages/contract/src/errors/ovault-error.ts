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

/** On the prototype of every copy of OvaultError that a process may have loaded. */
const MARK = Symbol.for("ovault.error");

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

  /**
   * A plugin that is installed elsewhere brings its own copy of this package: its errors are told by the names of their
   * classes.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (inherits(value, this)) return true;
    if (typeof value !== "object" || value === null || !(MARK in value) || inherits(value, OvaultError)) return false;
    return classNames(value).includes(this.name);
  }

  protected get [MARK](): true {
    return true;
  }
}

function inherits(value: unknown, kind: typeof OvaultError): boolean {
  return Function.prototype[Symbol.hasInstance].call(kind, value);
}

/** Of an object, from its own class up. */
function classNames(value: object): string[] {
  const names: string[] = [];
  let prototype: unknown = Object.getPrototypeOf(value);
  while (typeof prototype === "object" && prototype !== null) {
    names.push(prototype.constructor.name);
    prototype = Object.getPrototypeOf(prototype);
  }
  return names;
}

/** True for an ovault error with this code. */
export function hasCode(error: unknown, code: string): error is OvaultError {
  return error instanceof OvaultError && error.code === code;
}

/** True when the same call may be repeated with a chance of success. */
export function isTransient(error: unknown): boolean {
  return error instanceof OvaultError && error.retry === "transient";
}
