import { copyInto } from "@ovault/contract";

import { parseAnswerHead, type AnswerHead } from "./answer-head.ts";
import { ImageioConnectionError } from "./errors.ts";

/**
 * Where a body goes: into a buffer of exactly its length, or to a function that takes pieces, which are valid until it
 * returns.
 */
export type BodyTarget = Uint8Array | ((piece: Uint8Array) => void);

/**
 * Reads one answer from bytes that the caller writes where `target` says, so that disk data is copied only once: to
 * where it belongs.
 */
export class AnswerReader {
  readonly #scratch: Buffer;
  readonly #bodyFor: (head: AnswerHead) => BodyTarget;
  #headBytes = 0;
  #answer: { readonly head: AnswerHead; readonly body: BodyTarget } | undefined;
  #received = 0;

  /**
   * `scratch` is for everything but disk data; a head that does not fit is invalid. Calls `bodyFor` once, after the
   * head.
   */
  constructor(scratch: Buffer, bodyFor: (head: AnswerHead) => BodyTarget) {
    this.#scratch = scratch;
    this.#bodyFor = bodyFor;
  }

  /** The buffer for the next bytes. Never empty before the answer is complete. */
  target(): Uint8Array {
    if (this.#answer === undefined) return this.#scratch.subarray(this.#headBytes);
    const { body } = this.#answer;
    return typeof body === "function" ? this.#scratch : body.subarray(this.#received);
  }

  /**
   * Reports that this many bytes are in `target`. Returns the head when the answer is complete.
   *
   * @throws ImageioConnectionError for an invalid answer, or one longer or shorter than requested
   */
  took(bytes: number): AnswerHead | undefined {
    if (this.#answer === undefined) return this.#tookHead(bytes);
    const { head, body } = this.#answer;
    if (typeof body === "function") this.#hand(head, body, this.#scratch.subarray(0, bytes));
    else this.#received += bytes;
    return this.#received === head.length ? head : undefined;
  }

  #tookHead(bytes: number): AnswerHead | undefined {
    this.#headBytes += bytes;
    const end = this.#scratch.subarray(0, this.#headBytes).indexOf("\r\n\r\n");
    if (end < 0) {
      if (this.#headBytes < this.#scratch.length) return undefined;
      throw new ImageioConnectionError("what came instead of an answer of imageio has no end of its head", {
        retry: "transient",
      });
    }
    const head = parseAnswerHead(this.#scratch.toString("latin1", 0, end));
    const rest = this.#scratch.subarray(end + 4, this.#headBytes);
    if (head.status < 200) return this.#skipHead(rest);
    const body = this.#bodyFor(head);
    this.#answer = { head, body };
    if (typeof body !== "function" && head.length !== body.length) throw wrongLength(head.length, body.length);
    this.#hand(head, body, rest);
    return this.#received === head.length ? head : undefined;
  }

  /** Skips heads with a status below 200: the final answer follows. */
  #skipHead(rest: Uint8Array): AnswerHead | undefined {
    this.#scratch.set(rest);
    this.#headBytes = 0;
    return this.#tookHead(rest.length);
  }

  #hand({ length }: AnswerHead, body: BodyTarget, piece: Uint8Array): void {
    if (this.#received + piece.length > length) throw wrongLength(this.#received + piece.length, length);
    if (typeof body === "function") body(piece);
    else copyInto(body, piece, this.#received);
    this.#received += piece.length;
  }
}

function wrongLength(received: number, expected: number): ImageioConnectionError {
  return new ImageioConnectionError(`imageio sent ${received} bytes where ${expected} were to come`, {
    context: { received, expected },
    retry: "transient",
  });
}
