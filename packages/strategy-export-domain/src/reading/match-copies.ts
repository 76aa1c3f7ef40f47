import { UsageError, type Disk } from "@ovault/contract";

import type { ClonedDisk } from "../cloning/cloned-machine.ts";
import { ExportFailedError } from "../errors.ts";

/** What a copy has in common with its disk; ids are new. */
interface Traits extends Pick<Disk, "alias" | "bootable" | "interface"> {
  readonly bytes: number | undefined;
}

/** The second is for engines that call copies otherwise than their disks. */
const TELLING: readonly ((traits: Traits) => string)[] = [
  ({ alias, bytes, bootable, interface: connection }) => JSON.stringify([alias, bytes, bootable, connection]),
  ({ bytes, bootable, interface: connection }) => JSON.stringify([bytes, bootable, connection]),
];

/** @throws UsageError when two disks could not be told apart in a clone */
export function assertDistinct(disks: readonly Disk[]): void {
  const [telling = String] = TELLING;
  const alike = [...Map.groupBy(disks.map(traitsOf), telling).values()].find(({ length }) => length > 1);
  if (alike === undefined) return;
  throw new UsageError(
    `two disks are called ${alike[0]?.alias} and have the same size: a clone does not tell which is which`,
    { hint: "Give one of them another name in the manager." },
  );
}

/**
 * The copy of each disk, in the order of the disks. A clone may have more.
 *
 * @throws ExportFailedError when it is not certain which is that of a disk
 */
export function matchCopies(disks: readonly Disk[], copies: readonly ClonedDisk[]): readonly ClonedDisk[] {
  for (const telling of TELLING) {
    const byTraits = Map.groupBy(copies, telling);
    const matched = disks.map((disk) => byTraits.get(telling(traitsOf(disk))) ?? []);
    const sure = matched.flatMap(([copy, ...others]) => (copy === undefined || others.length > 0 ? [] : [copy]));
    if (new Set(sure).size === disks.length) return sure;
  }
  throw new ExportFailedError("the disks of the clone are not those of the snapshot", {
    context: { disks: listed(disks.map(traitsOf)), copies: listed(copies) },
    hint: "A disk was detached or resized in this moment. Run the backup again.",
  });
}

function traitsOf({ logicalBytes: bytes, ...disk }: Disk): Traits {
  return { ...disk, bytes };
}

function listed(disks: readonly Traits[]): string {
  return disks.map(({ alias, bytes }) => `${alias} (${bytes})`).join(", ");
}
