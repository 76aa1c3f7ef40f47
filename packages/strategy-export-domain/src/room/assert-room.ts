import { statfs } from "node:fs/promises";

import type { Disk } from "@ovault/contract";
import { NoRoomError, type StorageDomain } from "@ovault/ovirt";

import { ExportDomainError } from "../errors.ts";
import type { StagingPlace } from "../staging/staging-place.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

export interface Room {
  readonly disks: readonly Disk[];
  /** Most bytes of each disk's copy, by id. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Storage domains of the data center. */
  readonly domains: readonly StorageDomain[];
  /** Where all clones go; undefined: each disk's own. */
  readonly cloneDomain: StorageDomain | undefined;
}

/** The storage domain for clones. @throws ExportDomainError when the data center has none of this name that takes disks */
export function findCloneDomain(
  name: string | undefined,
  domains: readonly StorageDomain[],
): StorageDomain | undefined {
  if (name === undefined) return undefined;
  const found = domains.find((domain) => domain.name === name);
  const state = found?.status ?? "active";
  if (found?.type === "data" && state === "active") return found;
  const why = found === undefined ? "is not in this data center" : `takes no disks: it is ${found.type}, ${state}`;
  throw new ExportDomainError(`the storage domain for clones, ${name}, ${why}`, {
    hint: "`cloneDomain` of the strategy export-domain in ovault.yaml must be an active data domain.",
  });
}

/**
 * Checks, before anything is made, that the clones of disks have room: a storage domain that fills up pauses virtual
 * machines. Skips domains that do not report their free space. @throws NoRoomError
 */
export function assertRoomForClones({ disks, sizes, domains, cloneDomain }: Room): void {
  const byDomain = Map.groupBy(disks, ({ storageDomain }) => (cloneDomain ?? storageDomain)?.id);
  for (const { id, name, availableBytes, blockedBelowBytes = 0 } of domains) {
    const copied = byDomain.get(id);
    if (copied === undefined || availableBytes === undefined) continue;
    const wanted = total(copied, sizes);
    if (availableBytes >= wanted + blockedBelowBytes) continue;
    const kept = blockedBelowBytes > 0 ? ` and the engine keeps ${sizeOf(blockedBelowBytes)}` : "";
    throw new NoRoomError(
      `storage domain ${name} has ${sizeOf(availableBytes)} free; the clone wants up to ${sizeOf(wanted)}${kept}`,
      {
        context: { storageDomain: id, availableBytes, wantedBytes: wanted },
        hint: "Free space, or name a storage domain with more as `cloneDomain`. Nothing was changed.",
      },
    );
  }
}

/** Checks that the file system of a folder has room. @throws NoRoomError */
export async function assertRoomInFolder({ folder }: StagingPlace, wantedBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const availableBytes = bavail * bsize;
  if (availableBytes >= wantedBytes) return;
  throw new NoRoomError(`${folder} has ${sizeOf(availableBytes)} free; this takes up to ${sizeOf(wantedBytes)}`, {
    context: { folder, availableBytes, wantedBytes },
    hint: "Free space on its file system. Nothing was changed.",
  });
}

/** Sum over disks. */
export function total(disks: readonly Disk[], sizes: ReadonlyMap<string, number>): number {
  return disks.reduce((sum, { id }) => sum + (sizes.get(id) ?? 0), 0);
}

export function sizeOf(bytes: number): string {
  if (bytes < MIB) return `${(bytes / 1024).toFixed(1)} KiB`;
  return bytes < GIB ? `${(bytes / MIB).toFixed(1)} MiB` : `${(bytes / GIB).toFixed(1)} GiB`;
}
