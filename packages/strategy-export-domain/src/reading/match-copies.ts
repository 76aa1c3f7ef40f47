import { UsageError, type Disk } from "@ovault/contract";

import type { ClonedDisk } from "../cloning/cloned-machine.ts";
import { ExportFailedError } from "../errors.ts";

/** What a copy has in common with its disk; ids are new. */
type Traits = Pick<Disk, "alias" | "bootable" | "interface">;

/** @throws UsageError when two disks could not be told apart in a clone */
export function assertDistinct(disks: readonly (Traits & Pick<Disk, "logicalBytes">)[]): void {
  const same = [...Map.groupBy(disks, (disk) => traitsOf(disk, disk.logicalBytes)).values()].find(
    ({ length }) => length > 1,
  );
  if (same === undefined) return;
  throw new UsageError(
    `two disks are called ${same[0]?.alias} and have the same size: a clone does not tell which is which`,
    {
      hint: "Give one of them another name in the manager.",
    },
  );
}

/**
 * The copy of each disk, in the order of the disks.
 *
 * @throws ExportFailedError when a disk has no copy, or the copy has another size
 */
export function matchCopies(disks: readonly Disk[], copies: readonly ClonedDisk[]): readonly ClonedDisk[] {
  const byTraits = new Map(copies.map((copy) => [traitsOf(copy, copy.bytes), copy]));
  return disks.map((disk) => {
    const copy = byTraits.get(traitsOf(disk, disk.logicalBytes));
    if (copy !== undefined) return copy;
    throw new ExportFailedError(`the clone holds no copy of disk ${disk.alias} with ${disk.logicalBytes} bytes`, {
      context: { disk: disk.id, copies: copies.map(({ alias, bytes }) => `${alias} (${bytes})`).join(", ") },
      hint: "The disk was detached or resized in this moment. Run the backup again.",
    });
  });
}

function traitsOf({ alias, bootable, interface: connection }: Traits, bytes: number | undefined): string {
  return JSON.stringify([alias, bytes, bootable, connection]);
}
