/** One contender's command; nothing but the command is timed. */
export interface Contender {
  readonly name: string;
  /** The program that it runs; where that is missing, the contender is left out. */
  readonly needs?: string;
  /** Before each round. */
  readonly prepare?: () => Promise<void>;
  /** Asked for after `prepare`. */
  readonly command: () => readonly string[];
  /** File or directory that the command writes; what it grows by is what was stored. */
  readonly output?: string;
  /** What is known of it beforehand, by what to call it. */
  readonly figures?: Readonly<Record<string, number>>;
  /** After each round: frees what nobody needs any more. */
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
