import { StoreError, unlessAborted } from "@ovault/contract";

import type { SftpConnection } from "./sftp-connection.ts";

interface Slot {
  readonly connection: Promise<SftpConnection>;
  /** `undefined` until it is connected. */
  connected: SftpConnection | undefined;
  calls: number;
}

export interface PoolOptions {
  /** The signal only ends attempts. */
  readonly connect: (signal: AbortSignal) => Promise<SftpConnection>;
  readonly connections: number;
}

/**
 * A few connections that carry any number of calls. A call takes the one with the fewest calls, or a new one when none
 * is idle. A lost connection fails the calls on it, once; the next call connects anew.
 */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #slots = new Set<Slot>();
  readonly #closing = new AbortController();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** @throws StoreUnavailableError, other errors of `connect`, the signal's reason while it waits for a connection. */
  async use<T>(signal: AbortSignal, work: (connection: SftpConnection) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw closed();
    const slot = this.#choose();
    slot.calls += 1;
    try {
      return await work(await unlessAborted(slot.connection, signal));
    } finally {
      slot.calls -= 1;
    }
  }

  /** Gives calls under way a moment to finish, then ends all connections. */
  async close(): Promise<void> {
    this.#closing.abort(closed());
    await Promise.all([...this.#slots].map((slot) => slot.connected?.end()));
    this.#slots.clear();
  }

  #choose(): Slot {
    for (const slot of this.#slots) if (slot.connected?.isLost === true) this.#slots.delete(slot);
    const [leastBusy] = [...this.#slots].toSorted((a, b) => a.calls - b.calls);
    if (leastBusy !== undefined && (leastBusy.calls === 0 || this.#slots.size >= this.#options.connections)) {
      return leastBusy;
    }
    return this.#open();
  }

  #open(): Slot {
    const slot: Slot = { connection: this.#options.connect(this.#closing.signal), connected: undefined, calls: 0 };
    this.#slots.add(slot);
    slot.connection.then(
      (connection) => {
        slot.connected = connection;
      },
      () => this.#slots.delete(slot),
    );
    return slot;
  }
}

function closed(): StoreError {
  return new StoreError("the destination was closed");
}
