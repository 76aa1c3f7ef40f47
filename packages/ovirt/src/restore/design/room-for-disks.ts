import type { DesignedDisk } from "../disks/designed-disk.ts";
import type { StorageDomain } from "../../model/storage-domain.ts";
import { isBlockStorage } from "../disks/disk-layout.ts";
import type { Obstacles } from "./obstacles.ts";

const GIB = 1024 ** 3;
/** The engine's default limit on block storage; administrators may change it. */
const USUAL_BLOCK_LIMIT_BYTES = 8192 * GIB;

/**
 * Checks that storage domains have room for new disks. Space that the engine reserves at once (preallocated disks, and
 * the initial size of QCOW2 on block storage) must be free above the domain's threshold. The growth of thin disks on
 * file storage is an estimate, since the storage may compress: too little space for it is a warning.
 *
 * @returns warnings, for people
 */
export function roomForDisks(
  disks: readonly DesignedDisk[],
  blockBytes: number,
  obstacles: Obstacles,
): readonly string[] {
  return [...Map.groupBy(disks, ({ domain }) => domain)].flatMap(([domain, own]) => {
    const reserved = sum(own, reservedBytes);
    const needed = sum(own, (disk) => neededBytes(disk, blockBytes));
    const { availableBytes, blockedBelowBytes = 0 } = domain;
    const warnings = [...backupDomain(domain), ...own.flatMap(overLimit)];
    if (availableBytes === undefined) return warnings;
    if (availableBytes < reserved + blockedBelowBytes) {
      obstacles.add(
        `storage domain ${domain.name} has ${inGib(availableBytes)} free; its disks of this point need ${inGib(reserved)}` +
          (blockedBelowBytes > 0 ? ` and the engine keeps ${inGib(blockedBelowBytes)}` : ""),
        {
          hint: (field) => `Free space on it, or pass ${field("storageDomain")} with another one.`,
          context: { storageDomain: domain.id, availableBytes, reservedBytes: reserved },
        },
      );
      return warnings;
    }
    if (needed <= availableBytes) return warnings;
    return [...warnings, `${domain.name} has ${inGib(availableBytes)} free, and this needs about ${inGib(needed)}`];
  });
}

function backupDomain({ backup, name }: StorageDomain): readonly string[] {
  return backup ? [`${name} is a backup domain: the engine starts no machine whose disks are there`] : [];
}

function overLimit({ record: { disk }, domain }: DesignedDisk): readonly string[] {
  if (!isBlockStorage(domain) || disk.logicalBytes <= USUAL_BLOCK_LIMIT_BYTES) return [];
  return [
    `disk ${disk.alias} has ${inGib(disk.logicalBytes)}; on block storage such as ${domain.name} engines usually allow ${inGib(USUAL_BLOCK_LIMIT_BYTES)}`,
  ];
}

function reservedBytes({ record, layout }: DesignedDisk): number {
  return layout.sparse ? (layout.initialBytes ?? 0) : record.disk.logicalBytes;
}

function neededBytes({ record, layout }: DesignedDisk, blockBytes: number): number {
  const { stats, disk } = record;
  if (!layout.sparse) return disk.logicalBytes;
  return layout.initialBytes ?? (stats.unchangedBlocks + stats.newBlocks + stats.knownBlocks) * blockBytes;
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0);
}

function inGib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}
