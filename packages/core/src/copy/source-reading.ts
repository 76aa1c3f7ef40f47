import {
  type VirtualMachine,
  type Clock,
  processIdentity,
  type ProcessIdentity,
  systemClock,
  StoreReadOnlyError,
  StorePermissionError,
} from "@ovault/contract";
import { acquireLease, type Lease } from "../leases/lease.ts";
import type { Repository } from "../repository/repository.ts";

export interface SourceReadingOptions {
  /** Id of the destination. */
  readonly to: string;
  readonly vm: VirtualMachine;
  readonly runId: string;
  readonly process?: ProcessIdentity;
  readonly onWait?: ((message: string) => void) | undefined;
  readonly onDoubt?: ((message: string) => void) | undefined;
  readonly clock?: Clock;
  readonly signal: AbortSignal;
}

const TTL_MS = 120_000;

/**
 * Announces to a prune at the source that a copy reads points of one virtual machine. A read-only source needs no
 * announcement: it cannot be pruned from here either.
 */
export class SourceReading {
  readonly #from: Repository;
  readonly #lease: Lease | undefined;

  private constructor(from: Repository, lease: Lease | undefined) {
    this.#from = from;
    this.#lease = lease;
  }

  static async begin(from: Repository, options: SourceReadingOptions): Promise<SourceReading> {
    const { to, vm, runId, process = processIdentity(), onWait, onDoubt, clock = systemClock, signal } = options;
    try {
      const lease = await acquireLease(from.store, {
        // One per pair of destinations, so that copies to several destinations do not wait for each other.
        resource: `copy-${to}-${from.protection.nameOf(vm)}`,
        title: `the copy of virtual machine ${vm.name} to another destination`,
        holder: { runId, ...process },
        ttlMs: TTL_MS,
        // The destination's lease decides between concurrent copies; this one only serializes readers.
        ifBusy: "wait",
        onWait,
        onDoubt,
        clock,
        signal,
      });
      return new SourceReading(from, lease);
    } catch (error) {
      if (!(error instanceof StoreReadOnlyError) && !(error instanceof StorePermissionError)) throw error;
      return new SourceReading(from, undefined);
    }
  }

  /** Call it before each point: the copy no longer needs what it read before. */
  async next(signal: AbortSignal): Promise<void> {
    if (this.#lease === undefined) await this.#from.refresh(signal);
    else await this.#from.announce(this.#lease, signal);
  }

  async end(): Promise<void> {
    await this.#lease?.release();
  }
}
