import { ALLOCATION, BASE_ALLOCATION, NbdClient } from "@ovault/nbd";

import type { Backend, DirtyExtent, ZeroExtent } from "./backend.ts";
import { HttpRefusal } from "./errors.ts";

const ALLOCATION_DEPTH = "qemu:allocation-depth";
/** Limit that imageio advertises for NBD, whatever the export supports. */
const MAX_CONNECTIONS = 8;
const DIRTY = 1;

export interface NbdSource {
  readonly path: string;
  readonly exportName: string;
  readonly bitmap: string | undefined;
  readonly sparse: boolean;
}

/** One NBD connection. When it breaks it stays broken, as in imageio: a client needs a new HTTP connection. */
export class NbdBackend implements Backend {
  readonly sizeBytes: number;
  readonly maxReaders = MAX_CONNECTIONS;
  readonly maxWriters = MAX_CONNECTIONS;
  readonly #client: NbdClient;
  readonly #source: NbdSource;

  private constructor(client: NbdClient, source: NbdSource) {
    this.#client = client;
    this.#source = source;
    this.sizeBytes = client.logicalBytes;
  }

  static async connect(source: NbdSource, signal: AbortSignal): Promise<NbdBackend> {
    const contexts = [BASE_ALLOCATION, ALLOCATION_DEPTH];
    if (source.bitmap !== undefined) contexts.push(bitmapContext(source.bitmap));
    const { path, exportName } = source;
    return new NbdBackend(await NbdClient.connect({ address: { path }, exportName, contexts, signal }), source);
  }

  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#client.readInto(offset, buffer, signal);
  }

  write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#client.write(offset, data, {}, signal);
  }

  zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    return this.#client.writeZeroes(offset, length, { mayTrim: this.#source.sparse }, signal);
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#client.flush(signal);
  }

  async *zeroExtents(signal: AbortSignal): AsyncGenerator<ZeroExtent> {
    const hasDepth = this.#client.contexts.includes(ALLOCATION_DEPTH);
    yield* this.#extents(
      hasDepth ? [BASE_ALLOCATION, ALLOCATION_DEPTH] : [BASE_ALLOCATION],
      ([allocation = 0, depth]) => ({ zero: (allocation & ALLOCATION.zero) !== 0, hole: depth === 0 }),
      (a, b) => a.zero === b.zero && a.hole === b.hole,
      signal,
    );
  }

  async *dirtyExtents(signal: AbortSignal): AsyncGenerator<DirtyExtent> {
    const { exportName, bitmap } = this.#source;
    const context = bitmap === undefined ? "" : bitmapContext(bitmap);
    if (!this.#client.contexts.includes(context)) {
      const text = `Operation not supported: NBD export '${exportName}' does not support dirty extents`;
      throw new HttpRefusal(404, text);
    }
    yield* this.#extents(
      [BASE_ALLOCATION, context],
      ([allocation = 0, dirty = 0]) => ({ dirty: (dirty & DIRTY) !== 0, zero: (allocation & ALLOCATION.zero) !== 0 }),
      (a, b) => a.dirty === b.dirty && a.zero === b.zero,
      signal,
    );
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** Walks several contexts in parallel, and joins equal neighbours. */
  async *#extents<T>(
    contexts: readonly string[],
    meaning: (flags: readonly number[]) => T,
    same: (a: T, b: T) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<{ start: number; length: number } & T> {
    let run: ({ start: number; length: number } & T) | undefined;
    for (let start = 0; start < this.sizeBytes;) {
      for (const { length, flags } of await this.#statusFrom(start, contexts, signal)) {
        const value = meaning(flags);
        if (run !== undefined && same(run, value)) {
          run = { ...run, length: run.length + length };
        } else {
          if (run !== undefined) yield run;
          run = { start, length, ...value };
        }
        start += length;
      }
    }
    if (run !== undefined) yield run;
  }

  /** Status of all contexts from `offset` on, as far as every one covers it. */
  async #statusFrom(
    offset: number,
    contexts: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly { readonly length: number; readonly flags: readonly number[] }[]> {
    const answers = await this.#client.blockStatus(offset, this.sizeBytes - offset, signal);
    const ends = contexts.map((context) => {
      let end = 0;
      return (answers.get(context) ?? []).map(({ length, flags }) => ({ end: (end += length), flags }));
    });
    const cursors = contexts.map(() => 0);
    const pieces: { length: number; flags: readonly number[] }[] = [];
    for (let at = 0; ;) {
      const current = ends.map((runs, index) => runs[cursors[index] ?? 0]);
      const known = current.filter((run) => run !== undefined);
      if (known.length < contexts.length) return pieces;
      const end = Math.min(...known.map((run) => run.end));
      pieces.push({ length: end - at, flags: known.map(({ flags }) => flags) });
      for (const [index, run] of known.entries()) if (run.end === end) cursors[index] = (cursors[index] ?? 0) + 1;
      at = end;
    }
  }
}

function bitmapContext(bitmap: string): string {
  return `qemu:dirty-bitmap:${bitmap}`;
}
