import { endTransfers } from "./end-transfers.ts";
import { keepAlive } from "./keep-alive.ts";
import type { OpenTransfer } from "./open-transfers.ts";

/** The transfers that a run reads from. They are kept alive meanwhile, and ended in any case. */
export class HeldTransfers {
  readonly #held = new Set<OpenTransfer>();
  #stopKeepAlive: () => Promise<void> = async () => {};

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  add(transfer: OpenTransfer): void {
    this.#held.add(transfer);
  }

  /** It was ended before its time. */
  delete(transfer: OpenTransfer): void {
    this.#held.delete(transfer);
  }

  /** Keeps those that are held now alive until `close`. Once. */
  keepAlive(inactivityTimeoutSeconds: number): void {
    const clients = [...this.#held].map(({ client }) => client);
    this.#stopKeepAlive = keepAlive(clients, inactivityTimeoutSeconds);
  }

  /** Makes sure that all of them still transfer. */
  async confirm(signal: AbortSignal): Promise<void> {
    for (const { transfer } of this.#held) await transfer.confirm(signal);
  }

  /** Closes the connections, so that reads under way fail. */
  async disconnect(): Promise<void> {
    await Promise.all([...this.#held].map(({ client }) => client.close()));
  }

  /** The order is the engine's: connections before transfers. May come twice. */
  async close(outcome: "complete" | "failed"): Promise<void> {
    await this.#stopKeepAlive();
    await this.disconnect();
    const transfers = [...this.#held].map(({ transfer }) => transfer);
    await endTransfers(transfers, outcome === "complete" ? "finalize" : "cancel");
  }
}
