import type { Strategy, VirtualMachine } from "@ovault/contract";
import type { Ledger } from "@ovault/core";

import type { Check } from "../check.ts";

/** What a guest does to a disk: fills a range with something that depends on the seed; 0 is zeros. In bytes. */
export interface GuestFill {
  readonly offset: number;
  readonly length: number;
  readonly seed: number;
}

/** What the checks of the Strategy contract work on: a strategy, and somebody else's view of what it does. */
export interface StrategyBench {
  readonly strategy: Strategy;
  /** A virtual machine with at least one disk of at least 1 MiB, as the manager shows it now. */
  vm(): Promise<VirtualMachine>;
  /** All bytes of a disk as the guest sees them now, told by somebody else than the strategy. */
  view(diskId: string): Promise<Uint8Array>;
  /** Takes effect before it resolves. */
  write(diskId: string, fill: GuestFill): Promise<void>;
  /** Everything on the manager that runs have made, one text each: backups, transfers, snapshots, checkpoints, disks. */
  leftovers(): Promise<readonly string[]>;
}

export interface StrategyUnderTest extends StrategyBench {
  /** Of a node of its own. */
  readonly ledger: Ledger;
  /** How often is done what is random. */
  readonly runs: number;
}

export type StrategyCheck = Check<StrategyUnderTest>;
