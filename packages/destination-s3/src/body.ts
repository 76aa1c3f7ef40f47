import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Bytes hashed before the event loop gets its turn: about a millisecond. */
const TURN_BYTES = 1024 * 1024;

/** Bytes of one piece of the stream. */
const STEP_BYTES = 64 * 1024;

/** Bytes to send, in their original parts: never joined or copied. */
export class Body {
  readonly bytes: number;
  readonly #parts: readonly Uint8Array[];
  #sent = false;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
    this.bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  }

  /** True once the stream has handed out the last byte: until then the service cannot have all, from then on it may. */
  get isSent(): boolean {
    return this.#sent;
  }

  /** A view of a range of it. */
  slice(offset: number, length: number): Body {
    const parts: Uint8Array[] = [];
    let at = 0;
    for (const part of this.#parts) {
      const start = Math.max(offset - at, 0);
      const end = Math.min(offset + length - at, part.byteLength);
      if (start < end) parts.push(part.subarray(start, end));
      at += part.byteLength;
    }
    return new Body(parts);
  }

  /** The digest in base64. */
  async sha256(signal: AbortSignal): Promise<string> {
    const hash = createHash("sha256");
    for (const step of this.#steps(TURN_BYTES)) {
      signal.throwIfAborted();
      hash.update(step);
      if (step.byteLength === TURN_BYTES) await nextTurn();
    }
    return hash.digest("base64");
  }

  /** May be called once. */
  stream(): Readable {
    return Readable.from(this.#watched());
  }

  *#watched(): Generator<Uint8Array> {
    let left = this.bytes;
    this.#sent = left === 0;
    for (const step of this.#steps(STEP_BYTES)) {
      left -= step.byteLength;
      this.#sent = left === 0;
      yield step;
    }
  }

  *#steps(stepBytes: number): Generator<Uint8Array> {
    for (const part of this.#parts) {
      for (let at = 0; at < part.byteLength; at += stepBytes) yield part.subarray(at, at + stepBytes);
    }
  }
}
