import type { BackupMode, Disk } from "@ovault/contract";
import { type ExtentList, type ImageioClient, type OpenTransfer, NoDirtyExtentsError } from "@ovault/ovirt";

import { BackupDiskSource } from "./backup-disk-source.ts";
import type { BackupWatch } from "./backup-watch.ts";
import { collectDirtyExtents } from "./collect-extents.ts";
import type { DiskPlan } from "./plan-modes.ts";

/** A disk whose mode and size the engine has confirmed. */
export interface SettledDisk {
  readonly plan: DiskPlan;
  /** With its size in this backup. */
  readonly disk: Disk;
  readonly mode: BackupMode;
  readonly reason: string;
}

/**
 * The disks of a backup as sources. Fetches changes here and not when a disk is read: only the host knows whether it
 * can list them, and the mode depends on it.
 */
export async function openDisks(
  disks: readonly SettledDisk[],
  transfers: readonly OpenTransfer[],
  watch: BackupWatch,
  signal: AbortSignal,
): Promise<BackupDiskSource[]> {
  return await Promise.all(
    disks.map(async (settled, index) => {
      const client = transfers[index]?.client;
      if (client === undefined) throw new RangeError(`disk ${settled.disk.alias} has no transfer`);
      return await openDisk(settled, client, watch, signal);
    }),
  );
}

async function openDisk(
  { disk, mode, reason, plan }: SettledDisk,
  client: ImageioClient,
  watch: BackupWatch,
  signal: AbortSignal,
): Promise<BackupDiskSource> {
  if (mode !== "incremental") return new BackupDiskSource({ disk, mode, reason, client, watch, changes: undefined });
  const changes = await findChanges(client, plan.baseBytes ?? 0, signal);
  if (changes !== undefined) return new BackupDiskSource({ disk, mode, reason, client, watch, changes });
  const lost = "the host has no record of what changed since the last checkpoint";
  return new BackupDiskSource({ disk, mode: plan.otherwise, reason: lost, client, watch, changes });
}

/** Undefined when the bitmap is missing. */
async function findChanges(
  client: ImageioClient,
  baseBytes: number,
  signal: AbortSignal,
): Promise<ExtentList | undefined> {
  try {
    return await collectDirtyExtents(client.extents("dirty", signal), baseBytes);
  } catch (error) {
    if (error instanceof NoDirtyExtentsError) return undefined;
    throw error;
  }
}
