import { ManagerError, messageOf, type RunContext } from "@ovault/contract";
import {
  arrived,
  dropDisk,
  EngineConflictError,
  EngineFaultError,
  EntityNotFoundError,
  pending,
  wasRefused,
  type EngineApi,
  type MadeDisk,
  type RestoreDesign,
} from "@ovault/ovirt";

import type { PlannedVolume } from "../volumes/plan-volumes.ts";

const REGISTER_DEADLINE_MS = 10 * 60_000;

export type DesignedDisk = RestoreDesign["disks"][number];

/** Lets the engine take over a disk that lies on its domain, filled. Cleans up before it throws. */
export async function registerDisk(
  api: EngineApi,
  design: DesignedDisk,
  { diskId, virtualBytes }: PlannedVolume,
  { ledger, hooks, signal }: Pick<RunContext, "ledger" | "hooks" | "signal">,
): Promise<MadeDisk> {
  const { record, domain } = design;
  const { alias } = record.disk;
  const handle = await ledger.open({ kind: "disk", title: `restored disk ${alias}`, detail: { diskId } });
  try {
    await api.storageDomains.registerDisk(domain.id, diskId, signal);
  } catch (error) {
    if (wasRefused(error, signal)) {
      await handle.close();
      throw isAnswer(error) ? notTaken(design, error) : error;
    }
  }
  try {
    const made = await api.wait(
      `disk ${alias} to be registered`,
      async (pollSignal) => {
        const disk = await api.disks.find(diskId, pollSignal);
        return disk?.status === "ok" ? arrived(disk) : pending(disk?.status ?? "not there");
      },
      { deadlineMs: REGISTER_DEADLINE_MS, signal },
    );
    return { ...design, id: diskId, handle, madeBytes: made.provisionedBytes ?? virtualBytes };
  } catch (error) {
    await dropDisk(api, { id: diskId, handle }, { ledger, hooks, leftovers: {} });
    throw error;
  }
}

function isAnswer(error: unknown): boolean {
  return (
    error instanceof EngineFaultError || error instanceof EngineConflictError || error instanceof EntityNotFoundError
  );
}

function notTaken({ record, domain }: DesignedDisk, cause: unknown): ManagerError {
  return new ManagerError(
    `the engine does not register disk ${record.disk.alias} from ${domain.name}: ${messageOf(cause)}`,
    {
      cause,
      context: { storageDomain: domain.id },
      hint: "A host reads the volume's metadata from the share. The engine's events and vdsm.log on the host that manages the storage say what it found.",
    },
  );
}
