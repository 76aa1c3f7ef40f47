import { ManagerError } from "@ovault/contract";

import type { EngineApi } from "../../api/engine-api.ts";
import type { AttachedDisk } from "../../api/attached-disk.ts";
import { diskAttributes } from "../../model/attributes.ts";
import type { DiskAttachment } from "../../model/disk-attachment.ts";
import type { MadeDisk } from "../disks/make-disk.ts";

/**
 * Attaches new disks as the point's disks were attached, and compares the result: engines report failures only as
 * events. Attaches what differs once more. The machine must be down.
 *
 * @returns what still differs, for people
 * @throws ManagerError when a disk is missing
 */
export async function attachDisks(
  api: EngineApi,
  vmId: string,
  disks: readonly Pick<MadeDisk, "id" | "record">[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const wanted = disks.map(attachmentOf);
  for (const attachment of wanted) await api.vms.attachDisk(vmId, attachment, signal);
  const wrong = await differing(api, vmId, wanted, signal);
  for (const { attachment, found } of wrong) {
    if (found !== undefined) await api.vms.detachDisk(vmId, attachment.diskId, signal);
    await api.vms.attachDisk(vmId, attachment, signal);
  }
  const still = wrong.length === 0 ? [] : await differing(api, vmId, wanted, signal);
  const aliasOf = ({ attachment }: Difference): string =>
    disks.find(({ id }) => id === attachment.diskId)?.record.disk.alias ?? attachment.diskId;
  const missing = still.filter(({ found }) => found === undefined);
  if (missing.length > 0) {
    throw new ManagerError(`the engine did not attach ${missing.map(aliasOf).join(", ")}`, { context: { vm: vmId } });
  }
  return still.map((one) => `disk ${aliasOf(one)} hangs on the new machine otherwise than it did: ${described(one)}`);
}

interface Difference {
  readonly attachment: AttachedDisk;
  /** Undefined when it is not attached. */
  readonly found: DiskAttachment | undefined;
}

async function differing(
  api: EngineApi,
  vmId: string,
  wanted: readonly AttachedDisk[],
  signal: AbortSignal,
): Promise<readonly Difference[]> {
  const there = await api.vms.diskAttachments(vmId, false, signal);
  return wanted
    .map((attachment) => ({ attachment, found: there.find(({ diskId }) => diskId === attachment.diskId) }))
    .filter(({ attachment, found }) => found === undefined || formOf(found) !== formOf(attachment));
}

function attachmentOf({ id, record: { disk } }: Pick<MadeDisk, "id" | "record">): AttachedDisk {
  const { active, readOnly, passDiscard, usesScsiReservation } = diskAttributes(disk);
  return {
    diskId: id,
    interface: disk.interface,
    bootable: disk.bootable,
    active,
    ...(readOnly ? { readOnly } : {}),
    ...(passDiscard ? { passDiscard } : {}),
    ...(usesScsiReservation ? { usesScsiReservation } : {}),
  };
}

/** The compared fields, for people. */
function formOf(attachment: AttachedDisk | DiskAttachment): string {
  const traits = [
    attachment.interface,
    attachment.bootable && "bootable",
    !attachment.active && "not plugged in",
    attachment.readOnly === true && "read-only",
    attachment.passDiscard === true && "passing discards on",
    attachment.usesScsiReservation === true && "with SCSI reservation",
  ];
  return traits.filter((trait) => trait !== false).join(", ");
}

function described({ attachment, found }: Difference): string {
  return `${found === undefined ? "not at all" : formOf(found)} instead of ${formOf(attachment)}`;
}
