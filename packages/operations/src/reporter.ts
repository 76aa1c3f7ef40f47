/** Receives an operation's lines for people. Lines may hold names from managers and destinations: escape them. */
export interface Reporter {
  /** Reports progress, or a warning that the result repeats. May be dropped. */
  note(line: string): void;
  /** Reports a warning that must be shown. */
  warn(message: string): void;
}
