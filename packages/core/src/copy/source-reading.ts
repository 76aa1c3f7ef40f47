import {
  type VirtualMachine,
  type Clock,
  systemClock,
  StoreReadOnlyError,
  StorePermissionError,
} from "@ovault/contract";
import { acquireLease, type Lease } from "../leases/lease.ts";
import type { LeaseHolder } from "../leases/lease-folder.ts";
import type { Repository } from "../repository/repository.ts";
import { COPY_LEASE_TTL_MS } from "./copy-point.ts";

export interface SourceReadingOptions {
  readonly to: Repository;
  readonly vm: VirtualMachine;
  readonly holder: LeaseHolder;
  readonly onDoubt?: ((message: string) => void) | undefined;
  readonly clock?: Clock;
  readonly signal: AbortSignal;
}

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
    const { to, vm, holder, onDoubt, clock = systemClock, signal } = options;
    try {
      const lease = await acquireLease(from.store, {
        // One per pair of repositories, so that copies to several destinations do not wait for each other.
        resource: `copy-${to.settings.id}-${from.protection.nameOf(vm)}`,
        title: `the copy of virtual machine ${vm.name} to another repository`,
        holder,
        ttlMs: COPY_LEASE_TTL_MS,
        // The destination's lease decides between concurrent copies; this one only serializes readers.
        ifBusy: "wait",
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
