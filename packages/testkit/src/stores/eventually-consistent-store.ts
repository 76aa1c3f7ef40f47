import type { CallOptions, GetOptions, ObjectInfo, ObjectKey, ObjectStore, PutOptions } from "@ovault/contract";

import { MemoryStore } from "./memory-store.ts";

export interface Lag {
  /** Calls until `list` shows a put or delete. Called for each change; 0 is immediately. */
  readonly listings: () => number;
  /** The same for `get` and `stat`. */
  readonly reads: () => number;
}

/**
 * A store in memory whose readers see a past state: a put or delete shows only some calls later, though changes stay in
 * order. Put-if-absent always sees the present. Counts time in calls, so that runs are repeatable.
 */
export class EventuallyConsistentStore implements ObjectStore {
  readonly capabilities = { conditionalPut: true };
  /** The present state, for tests to inspect. */
  readonly present = new MemoryStore();
  readonly #listings: LaggingView;
  readonly #reads: LaggingView;

  constructor({ listings, reads }: Lag) {
    this.#listings = new LaggingView(listings);
    this.#reads = new LaggingView(reads);
  }

  async put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists"> {
    this.#pass();
    const answer = await this.present.put(key, parts, options);
    if (answer === "stored") this.#changed((view) => view.objects.set(key, Buffer.concat(parts)));
    return answer;
  }

  async get(key: ObjectKey, options: GetOptions): Promise<Uint8Array> {
    this.#pass();
    return await this.#reads.seen.get(key, options);
  }

  async stat(key: ObjectKey, options: CallOptions): Promise<ObjectInfo> {
    this.#pass();
    return await this.#reads.seen.stat(key, options);
  }

  async *list(prefix: string, options: CallOptions): AsyncGenerator<ObjectInfo> {
    this.#pass();
    yield* this.#listings.seen.list(prefix, options);
  }

  async delete(key: ObjectKey, options: CallOptions): Promise<void> {
    this.#pass();
    await this.present.delete(key, options);
    this.#changed((view) => view.objects.delete(key));
  }

  async close(): Promise<void> {}

  #changed(change: Change): void {
    this.#listings.note(change);
    this.#reads.note(change);
  }

  #pass(): void {
    this.#listings.pass();
    this.#reads.pass();
  }
}

type Change = (view: MemoryStore) => void;

class LaggingView {
  readonly seen = new MemoryStore();
  readonly #lag: () => number;
  readonly #pending: { readonly due: number; readonly change: Change }[] = [];
  #calls = 0;

  constructor(lag: () => number) {
    this.#lag = lag;
  }

  note(change: Change): void {
    // Not before an earlier change: an old object must not replace a newer one.
    this.#pending.push({ due: Math.max(this.#calls + this.#lag(), this.#pending.at(-1)?.due ?? 0), change });
    this.#apply();
  }

  pass(): void {
    this.#calls += 1;
    this.#apply();
  }

  #apply(): void {
    for (let next = this.#pending[0]; next !== undefined && next.due <= this.#calls; next = this.#pending[0]) {
      next.change(this.seen);
      this.#pending.shift();
    }
  }
}
