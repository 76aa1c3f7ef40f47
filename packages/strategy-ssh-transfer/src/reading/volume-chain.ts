import { basename } from "node:path/posix";

import { ManagerError, type Disk } from "@ovault/contract";
import type { EngineApi } from "@ovault/ovirt";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import type { Layer } from "../serving/image-node.ts";
import { activateVolumes, type ActivatedVolumes, type ActivationSite } from "../volumes/activated-volumes.ts";
import { isVolumeId, type Volume } from "../volumes/volume.ts";
import { volumeHeaders, type VolumeHeader } from "./volume-headers.ts";

/** More layers than an engine lets a disk have. */
const MOST_LAYERS = 100;

/** A layer of a disk, as its host shows it. */
export interface ChainLayer extends Layer {
  readonly volumeId: string;
  readonly header: VolumeHeader;
}

export interface ChainSite extends ActivationSite {
  readonly api: EngineApi;
  readonly hypervisor: Hypervisor;
  /** Receives what was activated as soon as it is, so that it is released in any case. */
  readonly onActivated: (volumes: ActivatedVolumes) => void;
}

export interface ChainWish {
  readonly disk: Disk;
  readonly top: Volume;
  /** The volume to stop at; the chain ends above it. */
  readonly base: string | undefined;
}

export interface VolumeChain {
  /** The newest first: those above the base, or all when there is none below. */
  readonly layers: readonly ChainLayer[];
  readonly reachesBase: boolean;
}

/** Follows the headers of a disk's volumes from the top down. @throws ServingError, ManagerError */
export async function readChain(
  { disk, top, base }: ChainWish,
  site: ChainSite,
  signal: AbortSignal,
): Promise<VolumeChain> {
  const { hypervisor, onActivated } = site;
  const layers: ChainLayer[] = [];
  for (let volume: Volume | undefined = top; volume !== undefined;) {
    const { volumeId, format, onBlock }: Volume = volume;
    const active = await activateVolumes(hypervisor, [volume], site, signal);
    onActivated(active);
    const path = active.paths[0] ?? "";
    const [header] = await volumeHeaders(hypervisor, [{ path, format }], signal);
    if (header === undefined) throw new RangeError(`volume ${volumeId} has no header`);
    layers.push({ volumeId, path, format, onBlock, header });
    if (header.backing === undefined) break;
    const parent = await parentOf(volume, header.backing, { disk, layers }, site.api, signal);
    if (parent.volumeId === base) return { layers, reachesBase: true };
    volume = parent;
  }
  return { layers, reachesBase: false };
}

/** Headers name the volume below by a path, or by its id. */
async function parentOf(
  volume: Volume,
  backing: NonNullable<VolumeHeader["backing"]>,
  { disk, layers }: { readonly disk: Disk; readonly layers: readonly ChainLayer[] },
  api: EngineApi,
  signal: AbortSignal,
): Promise<Volume> {
  const volumeId = basename(backing.file);
  const known = layers.some((layer) => layer.volumeId === volumeId);
  const context = { disk: disk.id, volume: volume.volumeId, backing: backing.file };
  if (!isVolumeId(volumeId) || known || layers.length >= MOST_LAYERS) {
    throw new ManagerError(`what lies below a layer of disk ${disk.alias} is no volume of the engine's`, { context });
  }
  const format = backing.format ?? (await api.diskSnapshots.find(volume.storageDomainId, volumeId, signal))?.format;
  switch (format) {
    case "qcow2":
    case "cow":
      return { ...volume, volumeId, format: "cow" };
    case "raw":
      return { ...volume, volumeId, format: "raw" };
    default:
      // The guest writes the first bytes of a raw volume: they must not decide.
      throw new ManagerError(`neither the host nor the engine tells the format of a layer of disk ${disk.alias}`, {
        context,
      });
  }
}
