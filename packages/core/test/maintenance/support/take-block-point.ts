import { backupVirtualMachine, type Clock, type Ledger, type RecoveryPoint, type Repository } from "@ovault/core";
import { diskOf } from "@ovault/testkit";

import { BLOCK_BYTES } from "./block-disk.ts";
import { BlockStrategy, type RunHistory } from "./block-strategy.ts";

export interface BlockRun {
  readonly vm: string;
  readonly blocks: readonly number[];
  readonly full?: boolean;
  readonly tracks?: boolean;
}

export interface BlockRunOptions {
  readonly history: RunHistory;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly ifBusy?: "refuse" | "wait";
}

/** The real backup of a virtual machine with one disk of blocks. */
export async function takeBlockPoint(
  repository: Repository,
  { vm, blocks, full = false, tracks = true }: BlockRun,
  { history, ledger, signal, clock, ifBusy = "wait" }: BlockRunOptions,
): Promise<RecoveryPoint> {
  const disks = [diskOf(blocks.length * BLOCK_BYTES, `disk-of-${vm}`)];
  return await backupVirtualMachine({
    vm: { id: vm, name: vm, manager: "model", status: "up", disks, attributes: {} },
    strategy: new BlockStrategy(history, blocks, tracks),
    repository,
    ledger,
    full,
    excludeDisks: [],
    taps: [],
    ifBusy,
    lanes: 2,
    signal,
    ...(clock !== undefined && { clock }),
  });
}
