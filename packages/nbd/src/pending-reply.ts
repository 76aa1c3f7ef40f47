import { Coverage } from "./coverage.ts";
import { errnoName, NbdRequestError } from "./errors.ts";
import { type COMMAND } from "./protocol.ts";

/** One run of bytes with the same flags, as a metadata context describes it. */
export interface BlockStatus {
  readonly length: number;
  readonly flags: number;
}

export type CommandName = keyof typeof COMMAND;

/** A sent request whose reply has not fully arrived. */
export class PendingReply {
  readonly command: CommandName;
  readonly offset: number;
  readonly length: number;
  /** Buffer of a read. `undefined` for other commands, and once the caller has given up. */
  target: Uint8Array | undefined;
  /** Bytes of a read that have arrived. */
  readonly coverage: Coverage;
  /** Wire id of a metadata context → its answer. */
  readonly statuses = new Map<number, BlockStatus[]>();
  readonly done: Promise<void>;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #failure: NbdRequestError | undefined;

  constructor(command: CommandName, offset: number, length: number, target: Uint8Array | undefined) {
    this.command = command;
    this.offset = offset;
    this.length = length;
    this.target = target;
    this.coverage = new Coverage(length);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Remembers the first error the server reports; the reply may go on after it. */
  refuse(errno: number, message: string): void {
    const name = errnoName(errno);
    const detail = message === "" ? "" : ` (${message})`;
    const context = { command: this.command, offset: this.offset, length: this.length };
    this.#failure ??= new NbdRequestError(
      name,
      `NBD ${this.command} of ${this.length} bytes at ${this.offset} failed: ${name}${detail}`,
      { context },
    );
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** The reply is complete. */
  finish(): void {
    if (this.#failure === undefined) this.#resolve();
    else this.#reject(this.#failure);
  }

  /** No reply will come, or the caller has given up. */
  reject(error: unknown): void {
    this.target = undefined;
    this.#reject(error);
  }
}
