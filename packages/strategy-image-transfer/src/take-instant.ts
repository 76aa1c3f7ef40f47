import type { BackupRequest, RunContext, RunLedger } from "@ovault/contract";
import { holdMachine, type Capabilities, type EngineApi, type OvirtManager, type Snapshot } from "@ovault/ovirt";

import { maySuffice, olderSnapshots } from "./find-snapshots.ts";
import { HeldSnapshot } from "./held-snapshot.ts";
import type { ImageTransferOptions } from "./options.ts";
import { recordRetiring, removeRetiring } from "./remove-old-snapshots.ts";

/** Makes a snapshot. Leaves nothing behind when it throws, as far as possible. */
export async function takeInstant(
  manager: OvirtManager,
  options: ImageTransferOptions,
  request: BackupRequest,
  context: RunContext,
): Promise<HeldSnapshot> {
  const { runId, ledger, hooks, signal } = context;
  const api = manager.apiFor(runId, hooks);
  const removeDeadlineMs = options.removalTimeoutSeconds * 1_000;
  const capabilities = await manager.capabilities(signal);
  const older = await clearWay(api, request, { ledger, capabilities, removeDeadlineMs }, signal);
  const machine = await holdMachine(api, request, context, options);
  const engine = { manager, options, api, capabilities };
  return new HeldSnapshot({ ...request, ...context, ...machine, ...engine, older, removeDeadlineMs });
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
