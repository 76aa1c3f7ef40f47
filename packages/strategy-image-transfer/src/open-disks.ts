import { type BackupMode, settleAll } from "@ovault/contract";
import {
  NOT_ON_BASE,
  openTransfers,
  type Capabilities,
  type DiskPlan,
  type FrozenVolume,
  type HeldTransfers,
  type LayerBase,
  type OpenTransfer,
  type TransferContext,
  type TransferRequest,
} from "@ovault/ovirt";
import { ImageChain, Qcow2Layer } from "@ovault/qcow2";

import { changedRanges, imageFiles, wholeDisk, type DiskView } from "./disk-view.ts";
import { collectLayerExtents } from "./layer-extents.ts";
import { openImageFiles, parentVolume, volumeFile } from "./open-image-files.ts";
import { SnapshotDiskSource } from "./snapshot-disk-source.ts";
import { TransferWatch } from "./transfer-watch.ts";

export interface Opening {
  readonly context: TransferContext;
  /** Receives each transfer as soon as it exists, so that it is ended in any case. */
  readonly held: HeldTransfers;
}

/**
 * The disks of a snapshot as sources, each through a transfer of its frozen volume. Fetches changes here and not when a
 * disk is read, because the mode depends on them.
 */
export async function openDisks(
  plans: readonly DiskPlan[],
  opening: Opening,
  signal: AbortSignal,
): Promise<readonly SnapshotDiskSource[]> {
  const requests = plans.map((plan) => transferOf(plan, firstView(plan, opening.context.capabilities)));
  const transfers = await openTransfers(requests, opening.context, signal);
  for (const transfer of transfers) opening.held.add(transfer);
  return await settleAll(
    plans.map(async (plan, index) => {
      const transfer = transfers[index];
      if (transfer === undefined) throw new RangeError(`disk ${plan.disk.alias} has no transfer`);
      return await openDisk(plan, transfer, opening, signal);
    }),
  );
}

function transferOf({ disk, volumeId }: DiskPlan, view: FrozenVolume["view"]): TransferRequest {
  const frozen = { volumeId, ours: true, view };
  return { diskId: disk.id, title: disk.alias, direction: "download", frozen, logicalBytes: disk.logicalBytes };
}

function firstView({ since }: DiskPlan, { shallowTransfer }: Capabilities): FrozenVolume["view"] {
  if (since === undefined) return "disk";
  return shallowTransfer ? "layer" : "file";
}

async function openDisk(
  plan: DiskPlan,
  transfer: OpenTransfer,
  opening: Opening,
  signal: AbortSignal,
): Promise<SnapshotDiskSource> {
  const { since } = plan;
  if (since === undefined) {
    return await openWhole(plan, { mode: plan.otherwise, reason: plan.reason }, transfer, opening, signal);
  }
  const increment = await openIncrement(plan, since, transfer, signal);
  if (typeof increment !== "string") {
    return sourceOf(plan, { mode: "incremental", reason: plan.reason }, increment, [transfer]);
  }
  // Engines allow one transfer of a disk at a time.
  await transfer.transfer.end("cancel");
  opening.held.delete(transfer);
  const [again] = await openTransfers([transferOf(plan, "disk")], opening.context, signal);
  if (again === undefined) throw new RangeError(`disk ${plan.disk.alias} has no transfer`);
  opening.held.add(again);
  return await openWhole(plan, { mode: plan.otherwise, reason: increment }, again, opening, signal);
}

/** The reason when the layer is not an increment, or that is unknown. */
async function openIncrement(
  { disk }: DiskPlan,
  since: LayerBase,
  { transfer, client }: OpenTransfer,
  signal: AbortSignal,
): Promise<DiskView | string> {
  if (transfer.request.frozen?.view === "layer" && transfer.showsGuestData) {
    const changes = await collectLayerExtents(client.extents("zero", signal), since.bytes);
    if (changes === undefined) return "the host does not tell what the layer leaves to those below";
    return changedRanges(client, changes, disk.logicalBytes);
  }
  const layer = await Qcow2Layer.open(await volumeFile(client, signal), signal);
  if (parentVolume(layer) !== since.volumeId) return NOT_ON_BASE;
  return imageFiles(new ImageChain([layer]), since.bytes);
}

interface Settled {
  readonly mode: BackupMode;
  readonly reason: string;
}

async function openWhole(
  plan: DiskPlan,
  settled: Settled,
  open: OpenTransfer,
  { context, held }: Opening,
  signal: AbortSignal,
): Promise<SnapshotDiskSource> {
  const { disk, volumeFormat } = plan;
  // The file of a raw volume is guest data.
  if (open.transfer.showsGuestData || volumeFormat === "raw") {
    return sourceOf(plan, settled, wholeDisk(open.client, disk.logicalBytes), [open]);
  }
  const transfers = [open];
  const top = await Qcow2Layer.open(await volumeFile(open.client, signal), signal);
  const chain = await openImageFiles(
    top,
    {
      disk,
      context,
      onOpen: (lower) => {
        transfers.push(lower);
        held.add(lower);
      },
    },
    signal,
  );
  return sourceOf(plan, settled, imageFiles(chain), transfers);
}

function sourceOf(
  { disk }: DiskPlan,
  settled: Settled,
  view: DiskView,
  transfers: readonly OpenTransfer[],
): SnapshotDiskSource {
  const watch = new TransferWatch(
    disk,
    transfers.map(({ transfer }) => transfer),
  );
  const maxReads = Math.max(1, ...transfers.map(({ client }) => client.maxConnections));
  return new SnapshotDiskSource({ disk, ...settled, maxReads, view, watch });
}
