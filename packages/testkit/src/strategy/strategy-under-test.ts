import type { Strategy, VirtualMachine } from "@ovault/contract";
import type { Ledger } from "@ovault/core";

import type { Check } from "../check.ts";

/** A guest's write: fills a range, in bytes, with content that depends on the seed; 0 gives zeros. */
export interface GuestFill {
  readonly offset: number;
  readonly length: number;
  readonly seed: number;
}

/** The subject of the Strategy checks: a strategy, and an independent view of its effects. */
export interface StrategyBench {
  readonly strategy: Strategy;
  /** A virtual machine with at least one disk of at least 1 MiB, as the manager shows it now. */
  vm(): Promise<VirtualMachine>;
  /** All bytes of a disk as the guest sees them now, read independently of the strategy. */
  view(diskId: string): Promise<Uint8Array>;
  /** Takes effect before it resolves. */
  write(diskId: string, fill: GuestFill): Promise<void>;
  /** Everything that runs made on the manager, one text each: backups, transfers, snapshots, checkpoints, disks. */
  leftovers(): Promise<readonly string[]>;
}

export interface StrategyUnderTest extends StrategyBench {
  /** The ledger of a node of its own. */
  readonly ledger: Ledger;
  /** Number of randomized iterations. */
  readonly runs: number;
}

export type StrategyCheck = Check<StrategyUnderTest>;
