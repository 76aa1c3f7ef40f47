import { observe, type BackupRequest, type Consistency, type PointDocument, type RunContext } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { readyMachine } from "../machine/ready-machine.ts";
import { warnOfFirmware } from "../machine/warn-of-firmware.ts";
import { vmDocuments } from "../machine/vm-documents.ts";
import { undo } from "../traces/undo.ts";
import { beginQuiesce, endQuiesce, type QuiesceAttempt } from "./quiesce.ts";
import { cleanUpSnapshot } from "./remove-snapshot.ts";
import { assertRoom } from "./room-for-snapshot.ts";
import type { SnapshotOptions } from "./snapshot-options.ts";
import { takeSnapshot, type TakenSnapshot } from "./take-snapshot.ts";

const MIB = 1024 * 1024;
/** States of a virtual machine in which the engine makes a snapshot. */
export const FROZEN_IN: readonly string[] = ["up", "down", "paused"];

/** A machine as a snapshot of ours shows it. The caller removes the snapshot. */
export interface SnapshottedMachine {
  readonly snapshot: TakenSnapshot;
  readonly consistency: Consistency;
  /** The configuration at that instant. */
  readonly documents: readonly PointDocument[];
}

/**
 * Freezes the disks of a request by a snapshot, quiesced as far as requested and possible. Cleans up before it throws,
 * as far as possible.
 *
 * @throws NoRoomError, QuiesceError; what `takeSnapshot` throws
 */
export async function snapshotForBackup(
  api: EngineApi,
  request: BackupRequest,
  context: RunContext,
  options: SnapshotOptions,
): Promise<SnapshottedMachine> {
  const { vm, disks } = request;
  const { ledger, signal } = context;
  const removeDeadlineMs = options.removalTimeoutSeconds * 1_000;
  const now = await readyMachine({ api, vm, states: FROZEN_IN }, context);
  await assertRoom(api, { disks, bytesPerDisk: options.freeMebibytesPerDisk * MIB }, signal);
  const quiesce = await beginQuiesce(api, now, request.quiesce, signal);
  const snapshot = await takeSnapshot({
    api,
    ledger,
    vm,
    diskIds: disks.map(({ id }) => id),
    readyDeadlineMs: options.snapshotTimeoutSeconds * 1_000,
    removeDeadlineMs,
    signal,
  });
  try {
    return { snapshot, ...(await lookAt(snapshot, { api, request, context, quiesce })) };
  } catch (error) {
    const which = { vmId: vm.id, snapshotId: snapshot.id, deadlineMs: removeDeadlineMs };
    await undo(snapshot.handle, () => cleanUpSnapshot(api, which));
    throw error;
  }
}

interface Look {
  readonly api: EngineApi;
  readonly request: BackupRequest;
  readonly context: RunContext;
  readonly quiesce: QuiesceAttempt;
}

/** Consistency and configuration of a snapshot. */
async function lookAt(
  { id }: TakenSnapshot,
  { api, request: { vm }, context: { hooks, signal }, quiesce }: Look,
): Promise<Pick<SnapshottedMachine, "consistency" | "documents">> {
  const { consistency, reason } = await endQuiesce(api, quiesce, signal);
  if (consistency === "crash" && quiesce.quiesce !== "never") {
    observe(hooks.warning, `the file systems of ${vm.name} were not frozen: ${reason}`);
  }
  const { ovf = quiesce.vm.ovf } = await api.snapshots.get(vm.id, id, { allContent: true }, signal);
  if (ovf !== undefined) warnOfFirmware(vm, ovf, hooks);
  return { consistency, documents: await vmDocuments(api, { ...quiesce.vm, ovf }, signal) };
}
