import type { ErrorCode } from "./error-code.ts";
import { jobField, worded, type FieldName, type Wording } from "./wording.ts";

/** What a caller may do about an error: never repeat, repeat the same call, or give up after retries that failed. */
export type RetryClass = "never" | "transient" | "exhausted";

/** Plain facts that belong to an error: ids, keys, sizes. Never a secret. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | null>>;

export interface ErrorOptionsWithHint {
  readonly cause?: unknown;
  readonly context?: ErrorContext;
  /** The next step, written for a person. */
  readonly hint?: Wording;
  readonly retry?: RetryClass;
}

/** On the prototype of every copy of OvaultError that a process may have loaded. */
const MARK = Symbol.for("ovault.error");

/**
 * The root of every error ovault raises on purpose. Exit codes, tests and scripts rely on `code`, which is stable
 * across releases; the message names the thing and the reason, the hint the next step.
 *
 * A class declares its code as `static override readonly code`. `instanceof` then also recognises errors of another
 * copy of the class, as a plugin installed elsewhere may load. A class without a code of its own inherits its parent's,
 * and `instanceof` follows inheritance alone.
 */
export class OvaultError extends Error {
  /** @since 0.2.0 */
  static readonly code: ErrorCode = "E_INTERNAL";
  /**
   * Identifies the copies of a class that keeps its parent's code; the code does for any other.
   * @since 0.2.0
   */
  declare static readonly brand?: string;

  readonly code: ErrorCode;
  readonly retry: RetryClass;
  readonly context: ErrorContext;
  readonly hint: string | undefined;
  readonly #wordings: { readonly message: Wording; readonly hint: Wording | undefined };

  constructor(message: Wording, options: ErrorOptionsWithHint = {}) {
    super(worded(message, jobField), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = new.target.code;
    this.retry = options.retry ?? "never";
    this.context = options.context ?? {};
    this.hint = options.hint === undefined ? undefined : worded(options.hint, jobField);
    this.#wordings = { message, hint: options.hint };
  }

  /**
   * Message and hint for readers who know the fields of jobs by other names, such as the options of a command line.
   * @since 0.2.0
   */
  inWordsOf(field: FieldName): { readonly message: string; readonly hint: string | undefined } {
    const { message, hint } = this.#wordings;
    return { message: worded(message, field), hint: hint === undefined ? undefined : worded(hint, field) };
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    const brand = brandOf(this);
    return (
      brand !== undefined && typeof value === "object" && value !== null && MARK in value && hasBrand(value, brand)
    );
  }

  protected get [MARK](): true {
    return true;
  }
}

/** The class's own brand or code, not an inherited one. */
function brandOf(kind: object): unknown {
  return ["brand", "code"].filter((key) => Object.hasOwn(kind, key)).map((key): unknown => Reflect.get(kind, key))[0];
}

/** Whether the object's class or one of its ancestors has this brand. */
function hasBrand(value: object, brand: unknown): boolean {
  let prototype: unknown = Object.getPrototypeOf(value);
  while (typeof prototype === "object" && prototype !== null) {
    if (brandOf(prototype.constructor) === brand) return true;
    prototype = Object.getPrototypeOf(prototype);
  }
  return false;
}

/**
 * True for an error with exactly this code, for callers without its class. `instanceof` also matches subclasses.
 */
export function hasCode(error: unknown, code: ErrorCode): error is OvaultError {
  return error instanceof OvaultError && error.code === code;
}

/** True when the same call may be repeated with a chance of success. */
export function isTransient(error: unknown): boolean {
  return error instanceof OvaultError && error.retry === "transient";
}
