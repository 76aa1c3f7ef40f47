import type { BackupRequest, RunContext } from "@ovault/contract";

import type { OvirtManager } from "../manager/manager.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { snapshotForBackup } from "../snapshot/snapshot-for-backup.ts";
import type { LeftoverKinds } from "../leftovers/leftover-kind.ts";
import type { SnapshotOptions } from "../snapshot/snapshot-options.ts";
import { maySuffice, olderSnapshots } from "./find-snapshots.ts";
import { HeldSnapshot } from "./held-snapshot.ts";
import { recordRetiring, type Removal, removeRetiring } from "./retire-snapshots.ts";
import type { ReadingSite, VolumeReader } from "./volume-reader.ts";

/** A way to read snapshots, on one manager. */
export interface SnapshotReading {
  readonly manager: OvirtManager;
  readonly reader: VolumeReader;
  readonly options: SnapshotOptions;
  /** Kinds of leftovers that only this strategy makes. */
  readonly leftovers?: LeftoverKinds | undefined;
}

/** Makes a snapshot. Cleans up before it throws, as far as possible. */
export async function holdSnapshot(
  { manager, reader, options, leftovers = {} }: SnapshotReading,
  request: BackupRequest,
  context: RunContext,
): Promise<HeldSnapshot> {
  const { runId, hooks, signal } = context;
  const api = manager.apiFor(runId, hooks);
  const capabilities = await manager.capabilities(signal);
  const site = { manager, api, capabilities, context };
  const reading = await reader.prepare(request, site);
  const removeDeadlineMs = options.removalTimeoutSeconds * 1_000;
  try {
    const older =
      typeof reader.increments === "string"
        ? []
        : await clearWay(reader, request, site, { removeDeadlineMs, leftovers });
    const machine = await snapshotForBackup(api, request, context, options);
    return new HeldSnapshot({
      ...request,
      ...machine,
      ...context,
      api,
      capabilities,
      reader,
      reading,
      older,
      removeDeadlineMs,
      leftovers,
    });
  } catch (error) {
    await reading.close("failed");
    throw error;
  }
}

/**
 * Snapshots that the last point kept and that go after this one. Where a disk must be read in full and the reader
 * cannot do that over a kept snapshot, removes them at once.
 */
async function clearWay(
  reader: VolumeReader,
  request: BackupRequest,
  { api, capabilities, context: { ledger, signal } }: ReadingSite,
  removing: Pick<Removal, "removeDeadlineMs" | "leftovers">,
): Promise<readonly Snapshot[]> {
  const { vm } = request;
  const older = await olderSnapshots(api, request, signal);
  if (reader.readsChains(capabilities) || maySuffice(request, older)) return older;
  await removeRetiring(await recordRetiring(ledger, vm, older), { api, vm, ledger, ...removing }, signal);
  return [];
}
