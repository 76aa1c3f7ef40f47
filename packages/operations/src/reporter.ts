import { callObserver } from "@ovault/contract";

/** Receives an operation's lines for people. Lines may hold names from managers and destinations: escape them. */
export interface Reporter {
  /** Reports progress, or a warning that the result repeats. May be dropped. */
  note(line: string): void;
  /** Reports a warning that must be shown. */
  warn(message: string): void;
}

/** The same reporter for work that it must not disturb: what it throws, at once or later, is dropped. */
export function harmlessReporter(reporter: Reporter): Reporter {
  return {
    note: (line) => callObserver(() => reporter.note(line)),
    warn: (message) => callObserver(() => reporter.warn(message)),
  };
}
