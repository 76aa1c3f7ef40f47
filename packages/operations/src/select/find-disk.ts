import { didYouMean, NotFoundError, UsageError, type Disk } from "@ovault/contract";

/**
 * The disk with this id, alias or index (from 0), in that order: an alias may look like a number.
 * @throws NotFoundError for an unknown one; UsageError when several have the alias
 */
export function findDisk(disks: readonly Disk[], wanted: string, owner: string): Disk {
  const byId = disks.find(({ id }) => id === wanted);
  if (byId !== undefined) return byId;
  const [disk, ...more] = disks.filter(({ alias }) => alias === wanted);
  if (more.length > 0) {
    throw new UsageError(`several disks of ${owner} have the alias "${wanted}"`, {
      context: { disk: wanted },
      hint: "Use an id or the index: 0 is the first disk.",
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
