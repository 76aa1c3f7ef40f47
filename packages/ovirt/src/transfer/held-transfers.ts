import { endTransfers } from "./end-transfers.ts";
import { keepAlive } from "./keep-alive.ts";
import type { OpenTransfer } from "./open-transfers.ts";

/** The transfers that a run reads from: keeps them alive, and ends them in any case. */
export class HeldTransfers {
  readonly #held = new Set<OpenTransfer>();
  #stopKeepAlive: () => Promise<void> = async () => {};

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  add(transfer: OpenTransfer): void {
    this.#held.add(transfer);
  }

  /** Forgets a transfer that was ended early. */
  delete(transfer: OpenTransfer): void {
    this.#held.delete(transfer);
  }

  /** Keeps the present transfers alive until `close`. Call once. */
  keepAlive(inactivityTimeoutSeconds: number): void {
    const clients = [...this.#held].map(({ client }) => client);
    this.#stopKeepAlive = keepAlive(clients, inactivityTimeoutSeconds);
  }

  /** Verifies that all of them are still alive. */
  async confirm(signal: AbortSignal): Promise<void> {
    for (const { transfer } of this.#held) await transfer.confirm(signal);
  }

  /** Closes the connections, so that reads in flight fail. */
  async disconnect(): Promise<void> {
    await Promise.all([...this.#held].map(({ client }) => client.close()));
  }

  /** The engine requires this order: connections before transfers. May be called twice. */
  async close(outcome: "complete" | "failed"): Promise<void> {
    await this.#stopKeepAlive();
    await this.disconnect();
    const transfers = [...this.#held].map(({ transfer }) => transfer);
    await endTransfers(transfers, outcome === "complete" ? "finalize" : "cancel");
  }
}
