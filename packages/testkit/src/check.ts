/** One law of a contract, for any test framework or none. `run` throws when the law does not hold. */
export interface Check<T> {
  /** A sentence about behaviour. */
  readonly name: string;
  /** Why the check does not apply to this subject; undefined if it does. */
  skipReason?(subject: T): string | undefined;
  run(subject: T, signal: AbortSignal): Promise<void>;
}
