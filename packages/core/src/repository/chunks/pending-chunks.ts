/** A chunk in a pack that is not yet put. */
interface PendingChunk {
  readonly owner: object;
  /** Has the pack put soon, full or not. */
  readonly hurry: () => void;
  readonly waiting: Set<() => void>;
}

/** So long a pack that others wait for may fill by itself, in ms. */
const PATIENCE_MS = 50;

/**
 * The chunks that the writers of one process have taken and not yet put, so that runs side by side store each once: clones
 * of one machine meet the same chunks at the same time. Who waits keeps the chunk and stores it when the other failed to;
 * nobody's run depends on another's.
 */
export class PendingChunks {
  readonly #chunks = new Map<string, PendingChunk>();

  /** Whether somebody is about to put this chunk. */
  has(name: string): boolean {
    return this.#chunks.has(name);
  }

  add(name: string, owner: object, hurry: () => void): void {
    this.#chunks.set(name, { owner, hurry, waiting: new Set() });
  }

  /** The pack of this chunk is put, or never will be. Only who added it can say so. */
  settle(name: string, owner: object): void {
    const chunk = this.#chunks.get(name);
    if (chunk?.owner !== owner) return;
    this.#chunks.delete(name);
    for (const go of chunk.waiting) go();
  }

  /** Resolves when the chunk is settled, one way or the other. Packs are hurried, so that no two writers wait for each other. */
  async settled(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const chunk = this.#chunks.get(name);
    if (chunk === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const go = (): void => resolve();
    const timer = setInterval(chunk.hurry, PATIENCE_MS);
    signal.addEventListener("abort", go, { once: true });
    chunk.waiting.add(go);
    await promise;
    clearInterval(timer);
    signal.removeEventListener("abort", go);
    chunk.waiting.delete(go);
    signal.throwIfAborted();
  }
}
