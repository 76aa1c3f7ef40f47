import { setTimeout as sleep } from "node:timers/promises";

import { NfsClient, type NfsPlace } from "../nfs/nfs-client.ts";
import { AREA_BYTES, lockspaceSlot, SECTOR_BYTES } from "./sanlock-records.ts";

/** How a host has renewed its slot so far. */
export interface Renewals {
  readonly renewed: number;
  /** Renewals that took longer than a second, counted from the first attempt. */
  readonly late: number;
  readonly longestMs: number;
  /** How long the renewal under way takes already; 0 between two. */
  readonly underWayMs: number;
}

export interface LockspaceMemberParts {
  readonly place: NfsPlace;
  readonly domainId: string;
  /** Path of the lockspace, from the export down. */
  readonly ids: string;
  readonly hostId: number;
  readonly hostName: string;
}

const EVERY_MS = 1000;
const LATE_MS = 1000;

/**
 * A host in the lockspace of a domain: reads `ids` and writes its own slot again and again, each second where sanlock
 * takes twenty (delta_lease.c), in a process of its own. It goes on through every failure until it is closed.
 */
export class LockspaceMember {
  readonly #parts: LockspaceMemberParts;
  readonly #closing = new AbortController();
  readonly #work: Promise<void>;
  #client: NfsClient | undefined;
  #beganAt: number | undefined;
  /** Failed ones of the renewal under way. */
  #attempts = 0;
  #renewed = 0;
  #late = 0;
  #longestMs = 0;

  constructor(parts: LockspaceMemberParts) {
    this.#parts = parts;
    this.#work = this.#renewAlways();
  }

  get renewals(): Renewals {
    const underWayMs = this.#beganAt === undefined ? 0 : performance.now() - this.#beganAt;
    return { renewed: this.#renewed, late: this.#late, longestMs: this.#longestMs, underWayMs };
  }

  /** Frees the slot, where the server lets it. */
  async close(): Promise<void> {
    this.#closing.abort();
    const { ids, domainId, hostId } = this.#parts;
    const client = this.#client;
    if (client !== undefined && this.#beganAt === undefined) {
      const giveUp = setTimeout(() => client.close(), EVERY_MS);
      await client.writeAt(ids, slotOffset(hostId), lockspaceSlot(domainId)).catch(() => {});
      clearTimeout(giveUp);
    }
    this.#client?.close();
    await this.#work;
  }

  async #renewAlways(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#beganAt ??= performance.now();
      const tookMs = await this.#renew().catch(() => undefined);
      if (tookMs !== undefined) this.#count(tookMs);
      await sleep(EVERY_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
    }
  }

  /** How many ms it took: in the client alone, or from the first attempt on when there were several. */
  async #renew(): Promise<number> {
    const { place, domainId, ids, hostId, hostName } = this.#parts;
    try {
      this.#client ??= await NfsClient.open(place);
      const owner = { hostId, hostName, timestamp: Math.floor(performance.now() / 1000) + 1 };
      const slot = lockspaceSlot(domainId, owner);
      const tookMs = await this.#client.renew(ids, AREA_BYTES, slotOffset(hostId), slot);
      return this.#attempts > 0 ? this.#sinceBegin() : tookMs;
    } catch (error) {
      this.#attempts += 1;
      this.#client?.close();
      this.#client = undefined;
      throw error;
    }
  }

  #count(tookMs: number): void {
    this.#beganAt = undefined;
    this.#attempts = 0;
    this.#renewed += 1;
    this.#longestMs = Math.max(this.#longestMs, tookMs);
    if (tookMs > LATE_MS) this.#late += 1;
  }

  #sinceBegin(): number {
    return performance.now() - (this.#beganAt ?? performance.now());
  }
}

function slotOffset(hostId: number): number {
  return (hostId - 1) * SECTOR_BYTES;
}
