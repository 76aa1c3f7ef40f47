import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { BITMAP_GRANULARITY, bitmapsInUse, traceCheckpoint } from "./bitmaps.ts";
import { activeOf, virtualBytesOf, type Volume } from "./disk-tree.ts";
import { CheckpointError } from "./errors.ts";
import type { BackupDisk, StartBackup } from "./hypervisor.ts";
import { cancelJob } from "./jobs.ts";
import type { Machine } from "./machine.ts";
import { addExport, removeExport } from "./nbd-exports.ts";
import type { QmpArguments } from "./qmp-client.ts";
import { addScratchLayer, removeScratchLayer, type ScratchLayer } from "./scratch-layer.ts";
import { nodeName } from "./volume-nodes.ts";

/** Name of the bitmap a backup exports: what changed between its two checkpoints. */
const BACKUP_BITMAP = "backup";

/** How one disk takes part in a backup. */
interface Part {
  readonly diskId: string;
  readonly virtualBytes: number;
  readonly source: string;
  /** Keeps data that the guest overwrites; reads the rest from the source. */
  readonly scratch: ScratchLayer;
  readonly job: string;
  readonly exportName: string;
  /** Volumes whose bitmaps together are the increment; none: full. */
  readonly changedIn: readonly Volume[];
  readonly fromCheckpointId: string | undefined;
  readonly toCheckpointId: string | undefined;
}

/**
 * A pull-mode backup: for each disk a scratch image in front of it saves the data that the guest overwrites
 * (`blockdev-backup` with sync=none), and QEMU serves that image. All disks and bitmaps change in one QMP transaction.
 */
export class Backup {
  readonly machine: Machine;
  readonly #parts: readonly Part[];
  readonly #disks: BackupDisk[] = [];

  private constructor(machine: Machine, parts: readonly Part[]) {
    this.machine = machine;
    this.#parts = parts;
  }

  /** The served disks, in the order of the request. */
  get disks(): readonly BackupDisk[] {
    return this.#disks;
  }

  static async start(machine: Machine, request: StartBackup, scratchDirectory: string): Promise<Backup> {
    const parts: Part[] = [];
    for (const disk of request.disks) parts.push(await plan(machine, request.backupId, disk, scratchDirectory));
    const { qmp } = machine.daemon;
    const added: Part[] = [];
    try {
      for (const part of parts) {
        const { scratch, source: node, virtualBytes } = part;
        await addScratchLayer(qmp, scratch, { node, virtualBytes });
        added.push(part);
      }
      await qmp.execute("transaction", { actions: parts.flatMap(actionsFor) });
    } catch (error) {
      for (const { scratch } of added) await removeScratchLayer(qmp, scratch);
      throw error;
    }
    const backup = new Backup(machine, parts);
    try {
      for (const part of parts) backup.#disks.push(await serve(machine, part));
    } catch (error) {
      await backup.stop();
      throw error;
    }
    return backup;
  }

  /** Ends the exports, then the jobs, then removes the scratch images. */
  async stop(): Promise<void> {
    const { daemon } = this.machine;
    if (this.machine.alive) {
      for (const { nbd } of this.#disks) await removeExport(daemon, nbd.exportName);
      for (const part of this.#parts) {
        await cancelJob(daemon.qmp, part.job);
        await removeScratchLayer(daemon.qmp, part.scratch);
      }
    }
    await this.discard();
  }

  /** Removes the scratch images of a backup whose process is gone. */
  async discard(): Promise<void> {
    for (const { scratch } of this.#parts) await rm(scratch.path, { force: true });
  }
}

async function plan(
  machine: Machine,
  backupId: string,
  { diskId, fromCheckpointId, toCheckpointId }: StartBackup["disks"][number],
  scratchDirectory: string,
): Promise<Part> {
  const chain = machine.chain(diskId);
  const active = activeOf(chain);
  const changedIn = fromCheckpointId === undefined ? [] : await increment(machine, diskId, fromCheckpointId);
  const name = createHash("sha256").update(`${backupId} ${diskId}`).digest("hex").slice(0, 24);
  return {
    diskId,
    virtualBytes: await virtualBytesOf(active),
    source: nodeName(active),
    scratch: { node: `s${name}`, path: join(scratchDirectory, `${name}.qcow2`) },
    job: `b${name}`,
    exportName: `backup-${diskId}`,
    changedIn,
    fromCheckpointId,
    toCheckpointId: active.format === "cow" ? toCheckpointId : undefined,
  };
}

async function increment(machine: Machine, diskId: string, checkpointId: string): Promise<readonly Volume[]> {
  const chain = machine.chain(diskId);
  const { state, volumes } = traceCheckpoint(chain, await bitmapsInUse(machine.daemon.qmp, chain), checkpointId);
  if (state === "inconsistent") {
    throw new CheckpointError(`the bitmap of checkpoint ${checkpointId} of disk ${diskId} is inconsistent`, {
      context: { diskId, checkpointId },
      hint: "Remove the checkpoint and take a full backup.",
    });
  }
  return volumes;
}

function actionsFor(part: Part): QmpArguments[] {
  const actions: QmpArguments[] = [];
  const { node } = part.scratch;
  const granularity = BITMAP_GRANULARITY;
  if (part.changedIn.length > 0) {
    const bitmaps = part.changedIn.map((volume) => ({ node: nodeName(volume), name: part.fromCheckpointId }));
    actions.push(
      { type: "block-dirty-bitmap-add", data: { node, name: BACKUP_BITMAP, granularity, disabled: true } },
      { type: "block-dirty-bitmap-merge", data: { node, target: BACKUP_BITMAP, bitmaps } },
    );
  }
  if (part.toCheckpointId !== undefined) {
    const data = { node: part.source, name: part.toCheckpointId, granularity, persistent: true };
    actions.push({ type: "block-dirty-bitmap-add", data });
  }
  const data = { "job-id": part.job, device: part.source, target: node, sync: "none" };
  actions.push({ type: "blockdev-backup", data });
  return actions;
}

async function serve(machine: Machine, part: Part): Promise<BackupDisk> {
  const { diskId, virtualBytes, exportName: name } = part;
  const incremental = part.changedIn.length > 0;
  const nbd = await addExport(machine.daemon, {
    node: part.scratch.node,
    name,
    writable: false,
    ...(incremental && { bitmap: BACKUP_BITMAP }),
  });
  if (!incremental) return { diskId, mode: "full", virtualBytes, nbd };
  return { diskId, mode: "incremental", virtualBytes, nbd, dirtyBitmap: BACKUP_BITMAP };
}
