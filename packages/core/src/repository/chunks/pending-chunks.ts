/** A chunk in a pack that is not yet put. */
interface PendingChunk {
  readonly owner: object;
  /** Puts the pack soon, full or not. */
  readonly flushSoon: () => void;
  readonly waiting: Set<() => void>;
}

/** How long a pack that others wait for may go on filling. */
const PATIENCE_MS = 50;

/**
 * The chunks that the writers of one process have taken and not yet put, so that concurrent runs store each once:
 * clones of one machine meet the same chunks at the same time. A waiting writer keeps the chunk and stores it itself if
 * the other fails, so no run depends on another's success.
 */
export class PendingChunks {
  readonly #chunks = new Map<string, PendingChunk>();

  /** Whether a writer is about to put this chunk. */
  has(name: string): boolean {
    return this.#chunks.has(name);
  }

  add(name: string, owner: object, flushSoon: () => void): void {
    this.#chunks.set(name, { owner, flushSoon, waiting: new Set() });
  }

  /** The pack of this chunk is put, or never will be. Ignored unless called by the owner. */
  settle(name: string, owner: object): void {
    const chunk = this.#chunks.get(name);
    if (chunk?.owner !== owner) return;
    this.#chunks.delete(name);
    for (const go of chunk.waiting) go();
  }

  /**
   * Resolves when the chunk is settled, either way. Asks its pack's writer to put soon, so that no two writers wait for
   * each other.
   */
  async settled(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const chunk = this.#chunks.get(name);
    if (chunk === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const go = (): void => resolve();
    const timer = setInterval(chunk.flushSoon, PATIENCE_MS);
    signal.addEventListener("abort", go, { once: true });
    chunk.waiting.add(go);
    await promise;
    clearInterval(timer);
    signal.removeEventListener("abort", go);
    chunk.waiting.delete(go);
    signal.throwIfAborted();
  }
}
