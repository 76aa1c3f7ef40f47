import { didYouMean, NotFoundError, UsageError, type Disk } from "@ovault/contract";

import { formatBytes } from "../text/format.ts";

/**
 * The disk with this id, alias or index (from 0), in that order: an alias may look like a number.
 * @throws NotFoundError for an unknown one; UsageError when several have the alias
 */
export function findDisk(disks: readonly Disk[], wanted: string, owner: string): Disk {
  const byId = disks.find(({ id }) => id === wanted);
  if (byId !== undefined) return byId;
  const [disk, ...more] = disks.filter(({ alias }) => alias === wanted);
  if (disk !== undefined && more.length > 0) {
    throw new UsageError(`${more.length + 1} disks of ${owner} have the alias "${wanted}"`, {
      context: { disk: wanted },
      hint: `Use an index or an id: ${[disk, ...more].map(describe).join(", ")}.`,
    });
  }
  const found = disk ?? (/^\d+$/.test(wanted) ? disks.find(({ index }) => index === Number(wanted)) : undefined);
  if (found !== undefined) return found;
  const aliases = disks.map(({ alias }) => alias);
  throw new NotFoundError(`${owner} has no disk "${wanted}"${didYouMean(wanted, aliases)}`, {
    context: { disk: wanted },
    hint: `Its disks: ${disks.map(({ index, alias }) => `${index}: ${alias}`).join(", ") || "none"}.`,
  });
}

function describe({ index, id, logicalBytes, format }: Disk): string {
  return `${index} (${id}, ${formatBytes(logicalBytes)}, ${format === "cow" ? "qcow2" : format})`;
}
