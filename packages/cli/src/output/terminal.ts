import type { Redactor, RunHooks } from "@ovault/core";

import { formatProgress, TransferProgress } from "./transfer-progress.ts";

/** A terminal is redrawn this often, a log gets a line this often. Milliseconds. */
const REDRAW_MS = 200;
const LOG_LINE_MS = 10_000;

/** Where a terminal does not tell its width. */
const DEFAULT_COLUMNS = 80;

/** The part of a writable stream that is used here. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface OutputStreams {
  readonly out: TextStream;
  readonly err: TextStream;
}

/**
 * The only place that writes to stdout and stderr. Results go to stdout; notes and progress to stderr, and nowhere when
 * `quiet`. Everything passes the redactor.
 */
export class Terminal {
  readonly #streams: OutputStreams;
  readonly #redactor: Redactor;
  readonly #quiet: boolean;
  #progressShown = false;

  constructor(streams: OutputStreams, redactor: Redactor, options: { readonly quiet: boolean }) {
    this.#streams = streams;
    this.#redactor = redactor;
    this.#quiet = options.quiet;
  }

  /** A result. */
  print(text: string): void {
    this.#clearProgress();
    this.#streams.out.write(this.#redactor.redact(text));
  }

  /** An error: shown even when quiet. */
  complain(text: string): void {
    this.#clearProgress();
    this.#streams.err.write(`${this.#redactor.redact(text)}\n`);
  }

  /** A line for the person who watches. */
  note(text: string): void {
    if (!this.#quiet) this.complain(text);
  }

  /**
   * A tap that shows the phases, warnings and progress of one run: one line redrawn in place on a terminal, plain lines
   * elsewhere.
   */
  showRun(label: string, totalBytes?: number): (hooks: RunHooks) => void {
    return (hooks) => {
      const progress = new TransferProgress(label, totalBytes);
      const show = this.#inIntervals(() => this.#showProgress(formatProgress(progress.line)));
      progress.follow(hooks, show);
      hooks.phase.tap("Terminal", ({ phase, detail }) => this.note(`${label}: ${phase}: ${detail}`));
      hooks.warning.tap("Terminal", (message) => this.note(`${label}: warning: ${message}`));
      hooks.finished.tap("Terminal", () => this.#clearProgress());
    };
  }

  /** Shows a number that grows, as `describe` words it; call the result with each new value. */
  showCount(describe: (count: number) => string): (count: number) => void {
    return this.#inIntervals((count: number) => this.#showProgress(describe(count)));
  }

  #inIntervals<T extends unknown[]>(show: (...args: T) => void): (...args: T) => void {
    const interval = this.#streams.err.isTTY === true ? REDRAW_MS : LOG_LINE_MS;
    let shownAt = performance.now();
    return (...args) => {
      if (performance.now() - shownAt < interval) return;
      shownAt = performance.now();
      show(...args);
    };
  }

  #showProgress(line: string): void {
    if (this.#quiet) return;
    const { err } = this.#streams;
    const safe = this.#redactor.redact(line);
    if (err.isTTY !== true) {
      err.write(`${safe}\n`);
      return;
    }
    err.write(`\r\u001B[K${safe.slice(0, (err.columns || DEFAULT_COLUMNS) - 1)}`);
    this.#progressShown = true;
  }

  #clearProgress(): void {
    if (!this.#progressShown) return;
    this.#streams.err.write("\r\u001B[K");
    this.#progressShown = false;
  }
}
