import type { DiskReader } from "@ovault/contract";
import { readOvf } from "@ovault/ovirt";
import { openDisk, StorageDomainError, type ExportDomain } from "@ovault/storage-domain";

import type { ClonedDisk } from "../cloning/cloned-machine.ts";
import type { StagedMachine } from "../exporting/staged-copy.ts";
import { damagedCopy } from "./damaged-copy.ts";

/**
 * Opens the disks of an exported clone, in the order of the copies, each from the volume that the OVF names. The caller
 * closes those that `onOpen` gets.
 *
 * @throws StorageDomainError when the OVF and the files contradict each other, or the clone
 */
export async function openCopies(
  domain: ExportDomain,
  { vmId, imageIds }: StagedMachine,
  copies: readonly ClonedDisk[],
  { signal, onOpen }: { readonly signal: AbortSignal; readonly onOpen: (reader: DiskReader) => void },
): Promise<readonly DiskReader[]> {
  const ovf = await domain.readOvf(vmId);
  if (ovf === undefined) throw new StorageDomainError(`machine ${vmId} has vanished from the export domain`);
  const named = readOvf(ovf).disks;
  const foreign = named.find(({ diskId }) => !imageIds.includes(diskId));
  if (foreign !== undefined) {
    throw new StorageDomainError(
      `the OVF of the export names image ${foreign.diskId.slice(0, 100)}, which is none of the clone's`,
    );
  }
  const readers: DiskReader[] = [];
  for (const { id: imageId, alias } of copies) {
    const volumeId = named.find(({ diskId }) => diskId === imageId)?.volumeId;
    if (volumeId === undefined) throw new StorageDomainError(`the OVF of the export does not name disk ${alias}`);
    const reader = await openDisk(domain, { imageId, volumeId }, signal).catch((error: unknown) => {
      throw damagedCopy(alias, error);
    });
    onOpen(reader);
    readers.push(reader);
  }
  return readers;
}
