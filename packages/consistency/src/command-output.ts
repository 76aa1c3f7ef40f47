import { StringDecoder } from "node:string_decoder";

/** Limits of the shown output: lines, and characters of each. More belongs in a log of the command's own. */
const MOST_LINES = 200;
const LONGEST_LINE = 1_000;
/** Kept of an unfinished line: enough to hold every secret that begins in the shown part. */
const LONGEST_HELD = 16_000;
/** Lines that an error quotes. */
const LAST_LINES = 3;

const CONTROLS = /\p{Cc}+/gu;

export interface OutputOptions {
  /** Masks secrets. */
  readonly redact: (text: string) => string;
  readonly show: (line: string) => void;
}

/**
 * The output of a command, line by line: without control characters, without secrets, and limited in size. Standard
 * output and standard error are two streams of one command.
 */
export class CommandOutput {
  readonly #options: OutputOptions;
  readonly #streams = { stdout: new LineReader(), stderr: new LineReader() };
  #shown = 0;
  #last: string[] = [];

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  add(stream: "stdout" | "stderr", bytes: Buffer): void {
    for (const line of this.#streams[stream].add(bytes)) this.#take(line);
  }

  /** Call when the command has ended: shows a last line without a line break. */
  end(): void {
    for (const stream of Object.values(this.#streams)) for (const line of stream.end()) this.#take(line);
  }

  /** The last lines, for an error. Empty when nothing was printed. */
  get tail(): string {
    return this.#last.map((raw) => this.#clean(raw)).join(" / ");
  }

  #take(raw: string): void {
    if (raw.replaceAll(CONTROLS, " ").trim() === "") return;
    this.#last = [...this.#last, raw].slice(-LAST_LINES);
    this.#shown += 1;
    // Does not process lines past the limit: their number is unbounded.
    if (this.#shown <= MOST_LINES) this.#options.show(this.#clean(raw));
    if (this.#shown === MOST_LINES) this.#options.show("… more is printed than shown here");
  }

  #clean(raw: string): string {
    const { redact } = this.#options;
    // Twice: control characters may be part of a secret, or be inserted into one.
    return redact(redact(raw).replaceAll(CONTROLS, " ")).trim().slice(0, LONGEST_LINE);
  }
}

/** Splits a stream of bytes into lines; truncates long ones. */
class LineReader {
  readonly #decoder = new StringDecoder("utf8");
  #held = "";

  add(bytes: Buffer): readonly string[] {
    const [first = "", ...others] = this.#decoder.write(bytes).split("\n");
    const lines = [this.#held + first, ...others].map((line) => line.slice(0, LONGEST_HELD));
    this.#held = lines.pop() ?? "";
    return lines;
  }

  end(): readonly string[] {
    const rest = this.#held + this.#decoder.end();
    this.#held = "";
    return [rest];
  }
}
