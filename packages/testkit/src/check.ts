/** One law of a contract, as something that any test framework can run, or none. `run` throws when it does not hold. */
export interface Check<T> {
  /** A sentence about behaviour. */
  readonly name: string;
  /** Why it cannot be asked of this one; undefined when it can. */
  skipReason?(subject: T): string | undefined;
  run(subject: T, signal: AbortSignal): Promise<void>;
}
