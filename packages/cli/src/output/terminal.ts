import type { Redactor } from "@ovault/core";
import type { Reporter } from "@ovault/operations";

import { escapeControls, escapeLine } from "./escape-controls.ts";
import { LiveLines } from "./live-lines.ts";

/** Interval of redraws on a terminal, and of lines in a log. Milliseconds. */
const REDRAW_MS = 200;
const LOG_LINE_MS = 10_000;

/** Used where a terminal does not report its size. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** The used part of a writable stream. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface OutputStreams {
  readonly out: TextStream;
  readonly err: TextStream;
}

/** One line that changes. */
export interface LiveLine {
  /** Calls `text` when it is time for the next change. */
  show(text: () => string): void;
  /** Takes the line away. */
  end(): void;
}

/**
 * The only component that writes text to stdout and stderr. Results go to stdout; notes and progress to stderr, and
 * nowhere when `quiet`. Redacts everything, and shows control characters but newline escaped.
 */
export class Terminal implements Reporter {
  readonly #streams: OutputStreams;
  /** Where results go. */
  #out: TextStream;
  readonly #redactor: Redactor;
  readonly #quiet: boolean;
  readonly #live = new LiveLines();
  /** Progress lines of all running work, in order of start, by a key for each. */
  readonly #progress = new Map<unknown, string>();

  constructor(streams: OutputStreams, redactor: Redactor, options: { readonly quiet: boolean }) {
    this.#streams = streams;
    this.#out = streams.out;
    this.#redactor = redactor;
    this.#quiet = options.quiet;
  }

  /** Sends further results to stderr: stdout carries the command's data. */
  leaveOutput(): void {
    this.#out = this.#streams.err;
  }

  /** Prints a result. */
  print(text: string): void {
    this.#clearProgress();
    this.#out.write(this.#safe(text));
  }

  /** Prints an error, also when quiet. */
  complain(text: string): void {
    this.#clearProgress();
    this.#streams.err.write(`${this.#safe(text)}\n`);
  }

  /** Prints a warning, also when quiet. */
  warn(message: string): void {
    this.complain(`warning: ${message}`);
  }

  /** Prints a line unless quiet. */
  note(text: string): void {
    if (!this.#quiet) this.complain(escapeLine(text));
  }

  /** A line of progress: redrawn in place on a terminal, below earlier ones; printed in intervals elsewhere. */
  liveLine(): LiveLine {
    const key = {};
    const interval = this.#streams.err.isTTY === true ? REDRAW_MS : LOG_LINE_MS;
    let shownAt = performance.now();
    return {
      show: (text) => {
        if (performance.now() - shownAt < interval) return;
        shownAt = performance.now();
        this.#showProgress(key, text());
      },
      end: () => this.#endProgress(key),
    };
  }

  /** Shows a growing number, formatted by `describe`; call the result with each new value. */
  showCount(describe: (count: number) => string): (count: number) => void {
    const line = this.liveLine();
    return (count) => line.show(() => describe(count));
  }

  #showProgress(of: unknown, line: string): void {
    if (this.#quiet) return;
    const { err } = this.#streams;
    const safe = escapeLine(this.#redactor.redact(line));
    if (err.isTTY !== true) {
      err.write(`${safe}\n`);
      return;
    }
    this.#progress.set(of, safe);
    this.#drawProgress();
  }

  #safe(text: string): string {
    return escapeControls(this.#redactor.redact(text));
  }

  #drawProgress(): void {
    const { err } = this.#streams;
    const size = { columns: err.columns || DEFAULT_COLUMNS, rows: err.rows || DEFAULT_ROWS };
    err.write(this.#live.draw([...this.#progress.values()], size));
  }

  #endProgress(of: unknown): void {
    if (this.#progress.delete(of)) this.#drawProgress();
  }

  #clearProgress(): void {
    const cleared = this.#live.clear();
    if (cleared !== "") this.#streams.err.write(cleared);
  }
}
