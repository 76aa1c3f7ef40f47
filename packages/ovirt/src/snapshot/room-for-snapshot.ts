import type { Disk } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { NoRoomError } from "./errors.ts";

const GIB = 1024 ** 3;

export interface RoomWanted {
  readonly disks: readonly Disk[];
  /** Space for what the guest writes to one disk while its snapshot exists, in bytes. */
  readonly bytesPerDisk: number;
}

/**
 * Checks, before anything is made, that the storage domains have room for a snapshot: a domain that fills up pauses
 * virtual machines and cannot merge snapshots any more. Skips domains that do not report their free space.
 *
 * @throws NoRoomError
 */
export async function assertRoom(
  api: EngineApi,
  { disks, bytesPerDisk }: RoomWanted,
  signal: AbortSignal,
): Promise<void> {
  const byDomain = Map.groupBy(disks, ({ storageDomain }) => storageDomain?.id);
  for (const domain of await api.infrastructure.storageDomains(signal)) {
    const count = byDomain.get(domain.id)?.length ?? 0;
    const { availableBytes, blockedBelowBytes = 0 } = domain;
    const wanted = count * bytesPerDisk + blockedBelowBytes;
    if (count === 0 || availableBytes === undefined || availableBytes >= wanted) continue;
    throw new NoRoomError(
      `storage domain ${domain.name} has ${inGib(availableBytes)} free; a snapshot of ${count} disks wants ${inGib(wanted)}`,
      {
        context: { storageDomain: domain.id, availableBytes, wantedBytes: wanted },
        hint: "Free space or extend the domain, or take fewer disks. Nothing was changed.",
      },
    );
  }
}

function inGib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}
