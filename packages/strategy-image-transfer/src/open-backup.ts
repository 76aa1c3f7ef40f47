import type { BackupRequest, RunContext, RunLedger } from "@ovault/contract";
import {
  EntityNotFoundError,
  holdMachine,
  type Capabilities,
  type EngineApi,
  type OvirtManager,
  type Snapshot,
  transferContext,
  type TakenSnapshot,
} from "@ovault/ovirt";

import { findBaseSnapshot, maySuffice, olderSnapshots } from "./find-snapshots.ts";
import { frozenDisks } from "./frozen-disks.ts";
import type { ImageTransferOptions } from "./options.ts";
import { planDisk, type DiskPlan } from "./plan-modes.ts";
import { recordRetiring, removeRetiring } from "./remove-old-snapshots.ts";
import { SnapshotSession } from "./snapshot-session.ts";

/** Makes a snapshot and opens all its disks. Leaves nothing behind when it throws, as far as possible. */
export async function openBackup(
  manager: OvirtManager,
  options: ImageTransferOptions,
  request: BackupRequest,
  context: RunContext,
): Promise<SnapshotSession> {
  const { vm, keepBase } = request;
  const { runId, ledger, hooks, signal } = context;
  const api = manager.apiFor(runId, hooks);
  const removeDeadlineMs = options.removalTimeoutSeconds * 1_000;
  const capabilities = await manager.capabilities(signal);
  const older = await clearWay(api, request, { ledger, capabilities, removeDeadlineMs }, signal);
  const held = await holdMachine(api, request, context, options);
  const { snapshot } = held;
  const session = new SnapshotSession({ api, hooks, ledger, vm, keepBase, older, removeDeadlineMs, ...held });
  try {
    const transfers = await transferContext(manager, options, context);
    const open = async (): Promise<void> => {
      const plans = await planDisks({ api, request, context, snapshot, capabilities });
      await session.open(plans, transfers, signal);
    };
    await open().catch(async (error: unknown) => {
      // Somebody's merge has renamed the volumes meanwhile. From the first transfer on, nothing can be merged.
      if (!(error instanceof EntityNotFoundError) || session.holdsTransfers) throw error;
      await open();
    });
    return session;
  } catch (error) {
    // What cannot be ended now stays in the ledger; this error is the one to tell.
    await session.close("failed").catch(() => undefined);
    throw error;
  }
}

interface Clearing {
  readonly ledger: RunLedger;
  readonly capabilities: Capabilities;
  readonly removeDeadlineMs: number;
}

/**
 * What the last point kept, and is to go after this one. An engine that shows only files, and one layer of a disk at a time
 * (before 4.3), cannot read a disk in full over what we kept: where that is needed, it goes at once.
 */
async function clearWay(
  api: EngineApi,
  request: BackupRequest,
  { ledger, capabilities, removeDeadlineMs }: Clearing,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const { vm } = request;
  const older = await olderSnapshots(api, request, signal);
  if (capabilities.transferFormat || maySuffice(request, older)) return older;
  await removeRetiring(await recordRetiring(ledger, vm, older), { api, vm, removeDeadlineMs }, signal);
  return [];
}

interface Planning {
  readonly api: EngineApi;
  readonly request: BackupRequest;
  readonly context: RunContext;
  readonly snapshot: TakenSnapshot;
  readonly capabilities: Capabilities;
}

async function planDisks(planning: Planning): Promise<readonly DiskPlan[]> {
  const { api, request, context, snapshot, capabilities } = planning;
  const { vm, disks, full } = request;
  const base = await findBaseSnapshot(api, request, context.signal);
  // Only an increment depends on what its layer lies on.
  const tellsParents = capabilities.shallowTransfer && !full && base?.status === "ok";
  const headerTells = !capabilities.shallowTransfer;
  const frozen = { vmId: vm.id, snapshotId: snapshot.id, disks, base, tellsParents };
  const records = new Map(request.base?.disks.map((record) => [record.disk.id, record]));
  return (await frozenDisks(api, frozen, context.signal)).map((one) =>
    planDisk(one, {
      vmId: vm.id,
      full,
      basePoint: request.base?.id,
      record: records.get(one.disk.id),
      base,
      headerTells,
    }),
  );
}
