import { basename } from "node:path";

import { ManagerError, type Disk } from "@ovault/contract";
import {
  EngineConflictError,
  openTransfers,
  type ImageioClient,
  type OpenTransfer,
  type TransferContext,
} from "@ovault/ovirt";
import { ImageChain, openBacking, Qcow2Layer, type ByteSource, type RawLayer } from "@ovault/qcow2";

/** More layers than an engine lets a disk have. */
const MOST_LAYERS = 100;
/** Our own transfer blocks the second one, and stays: a longer wait is useless. */
const SECOND_TRANSFER_PATIENCE_MS = 10_000;
const VOLUME_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The file of a volume as a byte source with random access. */
export async function volumeFile(client: ImageioClient, signal: AbortSignal): Promise<ByteSource> {
  return {
    fileBytes: await client.measure(signal),
    readInto: (offset, target, readSignal) => client.readInto(offset, target, readSignal),
  };
}

/** Id of the volume that a layer lies on, as its header names it; undefined for the lowest one. */
export function parentVolume({ backing }: Qcow2Layer): string | undefined {
  return backing === undefined ? undefined : basename(backing.file);
}

export interface LowerLayers {
  readonly disk: Disk;
  readonly context: TransferContext;
  /** Called for each transfer as soon as it exists, so that it is ended in any case. */
  readonly onOpen: (transfer: OpenTransfer) => void;
}

/**
 * Composes a disk from the files of all its layers, each through its own transfer: for engines that transfer only
 * files. Such an engine may refuse two transfers of one disk; then the disk cannot be read in full.
 */
export async function openImageFiles(
  top: Qcow2Layer,
  { disk, context, onOpen }: LowerLayers,
  signal: AbortSignal,
): Promise<ImageChain> {
  const layers: (Qcow2Layer | RawLayer)[] = [top];
  for (let above: Qcow2Layer | RawLayer = top; above instanceof Qcow2Layer && above.backing !== undefined;) {
    const volumeId = parentVolume(above) ?? "";
    if (!VOLUME_ID.test(volumeId) || layers.length >= MOST_LAYERS) {
      throw new ManagerError(`what lies below a layer of disk ${disk.alias} is no volume of the engine's`, {
        context: { disk: disk.id, backing: above.backing.file },
      });
    }
    const open = await openLower(volumeId, { disk, context, onOpen }, signal);
    const { file, format = await volumeFormat(volumeId, disk, context, signal) } = above.backing;
    above = await openBacking({ file, format }, await volumeFile(open.client, signal), signal);
    layers.push(above);
  }
  return new ImageChain(layers);
}

/**
 * QEMU's name of the format that the engine knows of a volume; undefined when it does not say. The guest writes the first
 * bytes of a raw volume, so they do not tell its format.
 */
async function volumeFormat(
  volumeId: string,
  { storageDomain }: Disk,
  { api }: TransferContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (storageDomain === undefined) return undefined;
  const volume = await api.diskSnapshots.find(storageDomain.id, volumeId, signal);
  return volume?.format === "cow" ? "qcow2" : volume?.format;
}

async function openLower(
  volumeId: string,
  { disk, context, onOpen }: LowerLayers,
  signal: AbortSignal,
): Promise<OpenTransfer> {
  const frozen = { volumeId, ours: false, view: "file" as const };
  const request = {
    diskId: disk.id,
    title: disk.alias,
    direction: "download" as const,
    frozen,
    logicalBytes: disk.logicalBytes,
    conflictDeadlineMs: SECOND_TRANSFER_PATIENCE_MS,
  };
  try {
    const [open] = await openTransfers([request], { ...context, connectionsPerHost: 1 }, signal);
    if (open === undefined) throw new RangeError(`disk ${disk.alias} has no transfer`);
    onOpen(open);
    return open;
  } catch (error) {
    if (!(error instanceof EngineConflictError)) throw error;
    throw new ManagerError(`disk ${disk.alias} has snapshots, and this engine shows one layer of a disk at a time`, {
      cause: error,
      context: { disk: disk.id, volume: volumeId },
      hint: "Delete the snapshots of the virtual machine, or move to an engine of 4.3.10 or newer.",
    });
  }
}
