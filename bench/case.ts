/** One contender's command; nothing but the command is timed. */
export interface Contender {
  readonly name: string;
  /** The program that it runs; without it the case skips the contender. */
  readonly needs?: string;
  /** Before each round. */
  readonly prepare?: () => Promise<void>;
  /** Called after `prepare`. */
  readonly command: () => readonly string[];
  /** File or directory that the command writes; its growth counts as stored. */
  readonly output?: string;
  /** Known figures, by label. */
  readonly figures?: Readonly<Record<string, number>>;
  /** After each round: frees its files. */
  readonly tidy?: () => Promise<void>;
}

/** What is measured side by side, round by round. */
export interface Case {
  readonly name: string;
  readonly ours: Contender;
  readonly others: readonly Contender[];
  /** What is read or written in a round, without zeros; it gives the rates. */
  readonly dataBytes?: number;
  readonly close?: () => Promise<void>;
}
