import { randomUUID } from "node:crypto";

import { ManagerError, type LedgerHandle, type RunLedger } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import { diskAttributes } from "../../model/attributes.ts";
import { arrived, pending } from "../../engine/wait.ts";
import { wasRefused } from "../../engine/was-refused.ts";
import { runTag } from "../../traces/run-tag.ts";
import { undo } from "../../traces/undo.ts";
import { removeDisk } from "../../api/remove-disk.ts";
import type { DesignedDisk } from "./designed-disk.ts";
import { fittingAlias } from "./engine-names.ts";

/** A disk made for a restore. */
export interface MadeDisk extends DesignedDisk {
  readonly id: string;
  /** Size the engine gave it, in bytes: file storage rounds up to 4 KiB. */
  readonly madeBytes: number;
  readonly handle: LedgerHandle;
}

/** The engine's unit for the size of a disk. */
const SECTOR_BYTES = 512;
const CREATE_DEADLINE_MS = 30 * 60_000;

/** Makes a disk with an id that ovault chooses and waits until it is ready. Cleans up before it throws. */
export async function makeDisk(
  design: DesignedDisk,
  { api, ledger }: { readonly api: EngineApi; readonly ledger: RunLedger },
  signal: AbortSignal,
): Promise<MadeDisk> {
  const { record, domain, layout, placement } = design;
  const attributes = diskAttributes(record.disk);
  const id = randomUUID();
  const handle = await ledger.open({
    kind: "disk",
    title: `restored disk ${record.disk.alias}`,
    detail: { diskId: id },
  });
  const request = {
    id,
    name: fittingAlias(record.disk.alias),
    description: runTag(ledger.runId),
    provisionedBytes: Math.ceil(record.disk.logicalBytes / SECTOR_BYTES) * SECTOR_BYTES,
    ...(layout.initialBytes === undefined ? {} : { initialBytes: layout.initialBytes }),
    format: layout.format,
    sparse: layout.sparse,
    incremental: layout.incremental,
    storageDomainId: domain.id,
    wipeAfterDelete: attributes.wipeAfterDelete,
    propagateErrors: attributes.propagateErrors,
    ...placement,
  };
  let lostAnswer: unknown;
  try {
    await api.disks.create(request, signal);
  } catch (error) {
    if (wasRefused(error, signal)) {
      await handle.close();
      throw error;
    }
    lostAnswer = error;
  }
  try {
    const made = await api.wait(
      `disk ${record.disk.alias} to be made`,
      async (pollSignal) => {
        const disk = await api.disks.get(id, pollSignal);
        if (disk.status === "illegal") throw new ManagerError(`the engine could not make disk ${record.disk.alias}`);
        return disk.status === "ok" ? arrived(disk) : pending(disk.status);
      },
      { deadlineMs: CREATE_DEADLINE_MS, signal },
    );
    return { ...design, id, handle, madeBytes: made.provisionedBytes ?? record.disk.logicalBytes };
  } catch (error) {
    await undo(handle, async () => {
      const found = await removeDisk(api, id);
      // The engine may still execute a request that it did not answer: such an entry stays.
      if (!found && lostAnswer !== undefined) throw lostAnswer;
    });
    throw error;
  }
}
