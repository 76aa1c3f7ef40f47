import type { DiskTarget, RunLedger } from "@ovault/contract";
import { isBlockStorage, type EngineApi, type MadeDisk } from "@ovault/ovirt";

import { NewVolumeError } from "../errors.ts";
import type { Held } from "../held.ts";
import type { ChosenHost } from "../hosts/choose-host.ts";
import type { SshTransferOptions } from "../options.ts";
import { ServedVolume } from "../serving/served-volume.ts";
import { activateVolumes } from "../volumes/activated-volumes.ts";
import { checkVolume } from "./check-volume.ts";
import { ServedDiskTarget } from "./served-disk-target.ts";

export interface NewDiskSite {
  readonly api: EngineApi;
  readonly chosen: ChosenHost;
  readonly options: SshTransferOptions;
  readonly ledger: RunLedger;
  /** Receives all that is opened as soon as it is. */
  readonly held: Held;
}

/** A new disk that its host serves for writing. */
export interface NewDisk {
  readonly target: DiskTarget;
  /** Closes the disk, after its flush, and checks it. @throws NewVolumeError */
  finish(): Promise<void>;
}

/** @throws NewVolumeError when the volume is not as it was ordered; ServingError, HypervisorError, VolumeError */
export async function openNewDisk(
  { id, record, layout, madeBytes }: MadeDisk,
  { api, chosen, options, ledger, held }: NewDiskSite,
  signal: AbortSignal,
): Promise<NewDisk> {
  const { hypervisor, domain, dataCenterId } = chosen;
  const { alias, id: diskId, logicalBytes } = record.disk;
  const { format, writeZeros } = layout;
  const volumeId = (await api.disks.get(id, signal)).imageId;
  const context = { disk: id, host: hypervisor.host.id };
  if (volumeId === undefined)
    throw new NewVolumeError(`the engine does not tell the volume of disk ${alias}`, { context });
  const onBlock = isBlockStorage(domain);
  const volume = { dataCenterId, storageDomainId: domain.id, diskId: id, volumeId, format, onBlock };
  const { dataCenterDirectory, connectionsPerDisk: connections, timeoutSeconds } = options;
  const detail = { diskId: id };
  const active = await activateVolumes(
    hypervisor,
    [volume],
    { dataCenterDirectory, ledger, detail, unused: true },
    signal,
  );
  held.add(() => active.release());
  const [path = ""] = active.paths;
  const served = await ServedVolume.open(
    hypervisor,
    { layers: [{ path, format, onBlock }], access: "write" },
    { title: `new disk ${alias}`, detail, ledger, connections, timeoutMs: timeoutSeconds * 1_000 },
    signal,
  );
  held.add(() => served.close());
  const bytes = served.logicalBytes;
  // A raw volume on block storage has whole extents.
  if (format === "cow" ? bytes !== madeBytes : bytes < madeBytes) {
    const message = `the volume of new disk ${alias} has ${bytes} bytes on host ${hypervisor.host.name}, not ${madeBytes}`;
    throw new NewVolumeError(message, { context });
  }
  return {
    target: new ServedDiskTarget({ diskId, alias, logicalBytes, madeBytes, writeZeros, served, domain: domain.name }),
    finish: async () => {
      await served.close();
      if (format === "cow") await checkVolume(hypervisor, { path, alias }, signal);
    },
  };
}
