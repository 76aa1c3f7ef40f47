import type { Clock, ProcessIdentity, RecoveryPoint } from "@ovault/contract";
import { backupVirtualMachine, type Ledger, type PointStore } from "@ovault/core";
import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";

import { blockMachine } from "./block-disk.ts";
import { BlockStrategy } from "./block-strategy.ts";

export interface BlockRun {
  readonly vm: string;
  readonly blocks: readonly number[];
  readonly full?: boolean;
  readonly tracks?: boolean;
}

export interface BlockRunOptions {
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly ifBusy?: "refuse" | "wait";
  readonly process?: ProcessIdentity;
}

/** The real backup of a machine of blocks. */
export async function takeBlockPoint(
  store: PointStore,
  { vm, blocks, full = false, tracks = true }: BlockRun,
  { ledger, signal, clock, ifBusy = "wait", process }: BlockRunOptions,
): Promise<RecoveryPoint> {
  return await backupVirtualMachine({
    vm: blockMachine(vm, blocks),
    strategy: new BlockStrategy(tracks),
    store,
    ledger,
    full,
    excludeDisks: [],
    taps: [],
    ifBusy,
    // One lane: blocks lie in packs in their order.
    buffers: new BufferPool(1, store.blockBytes),
    signal,
    ...(clock !== undefined && { clock }),
    ...(process !== undefined && { process }),
  });
}
