import type { ErrorCode } from "./error-code.ts";

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
 *
 * A class gives its code as `static override readonly code`. `instanceof` then also recognises the errors of another copy
 * of the class, as a plugin has that is installed elsewhere. A class without a code of its own has that of its parent, and
 * `instanceof` goes by inheritance alone.
 */
export class OvaultError extends Error {
  /** @since 0.2.0 */
  static readonly code: ErrorCode = "E_INTERNAL";
  /**
   * What the copies of a class have in common, where that is not its code: for a class that keeps its parent's code.
   * @since 0.2.0
   */
  declare static readonly brand?: string;

  readonly code: ErrorCode;
  readonly retry: RetryClass;
  readonly context: ErrorContext;
  readonly hint: string | undefined;

  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = new.target.code;
    this.retry = options.retry ?? "never";
    this.context = options.context ?? {};
    this.hint = options.hint;
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

/** Of the class itself: what it inherits is the brand of its parent. */
function brandOf(kind: object): unknown {
  return ["brand", "code"].filter((key) => Object.hasOwn(kind, key)).map((key): unknown => Reflect.get(kind, key))[0];
}

/** Whether a class of the object, from its own up, has this brand. */
function hasBrand(value: object, brand: unknown): boolean {
  let prototype: unknown = Object.getPrototypeOf(value);
  while (typeof prototype === "object" && prototype !== null) {
    if (brandOf(prototype.constructor) === brand) return true;
    prototype = Object.getPrototypeOf(prototype);
  }
  return false;
}

/**
 * True for an error with exactly this code: for errors whose class is not at hand. `instanceof` asks for a kind of error,
 * with the kinds below it.
 */
export function hasCode(error: unknown, code: ErrorCode): error is OvaultError {
  return error instanceof OvaultError && error.code === code;
}

/** True when the same call may be repeated with a chance of success. */
export function isTransient(error: unknown): boolean {
  return error instanceof OvaultError && error.retry === "transient";
}
