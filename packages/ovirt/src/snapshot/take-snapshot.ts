import { type LedgerHandle, type RunLedger, type VirtualMachine, DeadlineError } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { arrived, pending } from "../engine/wait.ts";
import { wasRefused } from "../engine/was-refused.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { hasTag, runTag } from "../traces/run-tag.ts";
import { undo } from "../traces/undo.ts";
import { SnapshotFailedError } from "./errors.ts";
import { cleanUpSnapshot } from "./remove-snapshot.ts";

export interface SnapshotRequest {
  readonly api: EngineApi;
  readonly ledger: RunLedger;
  readonly vm: VirtualMachine;
  /** The only disks to freeze. */
  readonly diskIds: readonly string[];
  /** Deadline for making the snapshot. */
  readonly readyDeadlineMs: number;
  /** Deadline for removing it again after a failure. */
  readonly removeDeadlineMs: number;
  readonly signal: AbortSignal;
}

/** A readable snapshot of ours. The caller removes it. */
export interface TakenSnapshot {
  readonly id: string;
  /** Entry of `kind: snapshot` in the ledger. */
  readonly handle: LedgerHandle;
}

const LOOKUP_DEADLINE_MS = 60_000;

/**
 * Makes a snapshot without memory, and waits until it is `ok` and the virtual machine is unlocked. Cleans up before it
 * throws, as far as possible; a snapshot that hangs stays, in the ledger.
 *
 * @throws SnapshotFailedError when the engine gave up
 * @throws DeadlineError when it did not finish in time
 */
export async function takeSnapshot(request: SnapshotRequest): Promise<TakenSnapshot> {
  const { api, ledger, vm, removeDeadlineMs, signal } = request;
  const tag = runTag(ledger.runId);
  const handle = await ledger.open({ kind: "snapshot", title: `snapshot of ${vm.name}`, detail: { vmId: vm.id, tag } });
  const created = await create(request, tag).catch(async (error: unknown) => {
    if (wasRefused(error, signal)) await handle.close();
    throw error;
  });
  const remove = (): Promise<void> =>
    cleanUpSnapshot(api, { vmId: vm.id, snapshotId: created.id, deadlineMs: removeDeadlineMs });
  try {
    await handle.amend({ snapshotId: created.id });
    await waitUntilReady(request, created.id);
    return { id: created.id, handle };
  } catch (error) {
    // The engine cannot remove a locked snapshot.
    if (!(error instanceof DeadlineError)) await undo(handle, remove);
    throw error;
  }
}

/** The snapshot of a ledger entry, by its id or by its tag. */
export async function findSnapshot(
  api: EngineApi,
  { vmId, tag, snapshotId }: { vmId: string; tag: string; snapshotId: string | undefined },
  signal: AbortSignal,
): Promise<Snapshot | undefined> {
  if (snapshotId !== undefined) return await api.snapshots.find(vmId, snapshotId, signal);
  return (await api.snapshots.list(vmId, signal)).find(({ description }) => hasTag(description, tag));
}

/** Looks up by its tag a snapshot whose answer was lost or cancelled, instead of making a second one. */
async function create({ api, vm, diskIds, signal }: SnapshotRequest, tag: string): Promise<{ readonly id: string }> {
  try {
    return await api.snapshots.create(vm.id, { description: tag, diskIds }, signal);
  } catch (error) {
    if (wasRefused(error, signal)) throw error;
    const lookup = AbortSignal.timeout(LOOKUP_DEADLINE_MS);
    const found = await findSnapshot(api, { vmId: vm.id, tag, snapshotId: undefined }, lookup).catch(() => undefined);
    if (found === undefined) throw error;
    return found;
  }
}

async function waitUntilReady({ api, vm, readyDeadlineMs, signal }: SnapshotRequest, id: string): Promise<void> {
  await api.wait(
    `the snapshot of ${vm.name} to be made`,
    async (pollSignal) => {
      const snapshot = await api.snapshots.find(vm.id, id, pollSignal);
      if (snapshot === undefined) throw vanished(vm);
      if (snapshot.status !== "ok") return pending(snapshot.status);
      const { status } = await api.vms.get(vm.id, {}, pollSignal);
      return status === "image_locked" ? pending("the virtual machine is still locked") : arrived(undefined);
    },
    { deadlineMs: readyDeadlineMs, signal, justAsked: true },
  );
}

/** The engine reports a failed snapshot only by its disappearance. */
function vanished(vm: VirtualMachine): SnapshotFailedError {
  return new SnapshotFailedError(`the engine could not make the snapshot of ${vm.name}`, {
    context: { vm: vm.id },
    hint: "The engine's events for this virtual machine say why; the host's vdsm.log says most.",
  });
}
