/** How a command ended: with a code, by a signal, or unknown (a lost connection). */
export interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Undefined for a success. */
export function describeFailure({ code, signal }: Outcome): string | undefined {
  if (code === 0) return undefined;
  if (code !== null) return `it ended with exit code ${code}`;
  return signal === null ? "it is unknown how it ended" : `it was ended by ${signal}`;
}
