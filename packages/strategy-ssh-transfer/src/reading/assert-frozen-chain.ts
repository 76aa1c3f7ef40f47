import { isDeepStrictEqual } from "node:util";

import { ManagerError, type Disk } from "@ovault/contract";
import type { EngineApi } from "@ovault/ovirt";

import type { Hypervisor } from "../hosts/hypervisor.ts";
import { volumeHeaders } from "./volume-headers.ts";
import type { ChainLayer } from "./volume-chain.ts";

/** While a merge runs, the layers below a snapshot change. @throws ManagerError, transient */
export async function assertNoMerge(api: EngineApi, vmId: string, signal: AbortSignal): Promise<void> {
  const locked = (await api.snapshots.list(vmId, signal)).find(({ status }) => status === "locked");
  if (locked === undefined) return;
  throw new ManagerError(
    `another snapshot of the machine is being made or merged: ${locked.description ?? locked.id}`,
    {
      context: { vm: vmId, snapshot: locked.id },
      retry: "transient",
      hint: "Run the backup again when the engine has finished.",
    },
  );
}

/** The layer that a machine writes to is never read. @throws ManagerError */
export async function assertBelowActive(
  api: EngineApi,
  disk: Disk,
  layers: readonly ChainLayer[],
  signal: AbortSignal,
): Promise<void> {
  const active = (await api.disks.find(disk.id, signal))?.imageId;
  if (active !== undefined && layers.every(({ volumeId }) => volumeId !== active)) return;
  throw new ManagerError(`the snapshot of this run does not freeze disk ${disk.alias}`, {
    context: { disk: disk.id, ...(active !== undefined && { active }) },
    hint: "Run the backup again.",
  });
}

/** After all data was read. @throws ManagerError when layers were merged, or the disk was resized, meanwhile */
export async function assertSameChain(
  hypervisor: Hypervisor,
  disk: Disk,
  layers: readonly ChainLayer[],
  signal: AbortSignal,
): Promise<void> {
  const now = await volumeHeaders(hypervisor, layers, signal);
  if (
    isDeepStrictEqual(
      now,
      layers.map(({ header }) => header),
    )
  )
    return;
  throw new ManagerError(`the layers of disk ${disk.alias} changed while they were read`, {
    context: { disk: disk.id, host: hypervisor.host.id },
    retry: "transient",
    hint: "A snapshot was merged in this moment. Run the backup again.",
  });
}
