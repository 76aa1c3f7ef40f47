import type { BackupMode, RunLedger } from "@ovault/contract";
import { isBlockStorage, type DiskPlan, type EngineApi } from "@ovault/ovirt";

import type { ChosenHost } from "../hosts/choose-host.ts";
import type { SshTransferOptions } from "../options.ts";
import { ServedVolume } from "../serving/served-volume.ts";
import { assertBelowActive } from "./assert-frozen-chain.ts";
import type { Held } from "../held.ts";
import { ServedDiskSource } from "./served-disk-source.ts";
import { readChain, type ChainLayer } from "./volume-chain.ts";

export interface DiskOpening {
  readonly api: EngineApi;
  readonly vmId: string;
  readonly chosen: ChosenHost;
  readonly options: SshTransferOptions;
  readonly ledger: RunLedger;
  /** Receives warnings of the run. */
  readonly warn: (message: string) => void;
  /** Receives all that is opened as soon as it is. */
  readonly held: Held;
}

export interface OpenedDisk {
  readonly source: ServedDiskSource;
  /** The layers that are read. */
  readonly layers: readonly ChainLayer[];
}

interface Wanted {
  readonly mode: BackupMode;
  readonly reason: string;
  readonly layers: readonly ChainLayer[];
  readonly baseBytes?: number;
}

/** A disk as its snapshot froze it, or what changed in it, served by its host. */
export async function openDisk(plan: DiskPlan, opening: DiskOpening, signal: AbortSignal): Promise<OpenedDisk> {
  const { disk, since, otherwise, reason } = plan;
  const { api, chosen } = opening;
  const chain = await chainOf(plan, since?.volumeId, opening, signal);
  await assertBelowActive(api, disk, chain.layers, signal);
  if (since === undefined) return await serve(plan, { mode: otherwise, reason, layers: chain.layers }, opening, signal);
  if (!chain.reachesBase) {
    const why = "the snapshot of the last point does not lie below this one";
    return await serve(plan, { mode: otherwise, reason: why, layers: chain.layers }, opening, signal);
  }
  const increment = { mode: "incremental", reason, layers: chain.layers, baseBytes: since.bytes } as const;
  const opened = await serve(plan, increment, opening, signal);
  if (opened.source.tellsAllocation) return opened;
  await opened.source.release();
  const { layers } = await chainOf(plan, undefined, opening, signal);
  const why = `qemu-nbd on host ${chosen.host.name} is too old to tell what a layer holds`;
  return await serve(plan, { mode: otherwise, reason: why, layers }, opening, signal);
}

function chainOf(
  { disk, volumeId, volumeFormat }: DiskPlan,
  base: string | undefined,
  { api, vmId, chosen, options, ledger, held }: DiskOpening,
  signal: AbortSignal,
): ReturnType<typeof readChain> {
  const { dataCenterId, domain, hypervisor } = chosen;
  const top = {
    dataCenterId,
    storageDomainId: domain.id,
    diskId: disk.id,
    volumeId,
    format: volumeFormat,
    onBlock: isBlockStorage(domain),
  };
  const site = {
    api,
    hypervisor,
    ledger,
    dataCenterDirectory: options.dataCenterDirectory,
    detail: { vmId, diskId: disk.id },
    onActivated: (volumes: { release(): Promise<void> }) => held.add(() => volumes.release()),
  };
  return readChain({ disk, top, base }, site, signal);
}

async function serve(
  { disk }: DiskPlan,
  { mode, reason, layers, baseBytes }: Wanted,
  { vmId, chosen, options, ledger, warn, held }: DiskOpening,
  signal: AbortSignal,
): Promise<OpenedDisk> {
  const { netcat } = options;
  const site = {
    title: `disk ${disk.alias}`,
    detail: { vmId, diskId: disk.id },
    ledger,
    connections: options.connectionsPerDisk,
    timeoutMs: options.timeoutSeconds * 1_000,
    netcat: netcat && { options: netcat, onFailure: warn },
  };
  const served = await ServedVolume.open(chosen.hypervisor, { layers, access: "read" }, site, signal);
  held.add(() => served.close());
  return { source: new ServedDiskSource({ disk, mode, reason, served, baseBytes }), layers };
}
