import { type DiskRecord, type RecoveryPoint, IntegrityError } from "@ovault/contract";
import { originOf } from "../points/point-id.ts";
import type { BlockMapReader } from "../repository/block-map/block-map-reader.ts";
import type { CopiedRepositories } from "./copy-stores.ts";

/** A disk in a point that both repositories have. */
export interface ReferenceDisk {
  readonly source: BlockMapReader;
  readonly destination: BlockMapReader;
}

/** A point that both repositories have, with its two manifests: block maps and their ids differ. */
export interface Reference {
  readonly source: RecoveryPoint;
  readonly destination: RecoveryPoint;
}

/**
 * The newest point of a virtual machine that both repositories have and that has no losses in the destination: a copy
 * takes over blocks unchanged since without reading them.
 */
export async function findReference(
  { from, to }: CopiedRepositories,
  { id, vm }: RecoveryPoint,
  signal: AbortSignal,
): Promise<Reference | undefined> {
  const { points: there } = await to.points.listOf(vm, signal);
  const { points: here } = await from.points.listOf(vm, signal);
  for (const destination of there.toReversed()) {
    const source = here.find((point) => isSameTaken(point, destination));
    if (source === undefined || source.id === id || to.isCondemned(destination)) continue;
    if ((await to.lossesOfBase(destination, signal)).length === 0) return { source, destination };
  }
  return undefined;
}

/** Undefined when the reference lacks the disk or is unreadable: the copy then reads everything. */
export async function openReference(
  { from, to }: CopiedRepositories,
  { source, destination }: Reference,
  { disk }: DiskRecord,
  signal: AbortSignal,
): Promise<ReferenceDisk | undefined> {
  const [here, there] = [source, destination].map(({ disks }) => disks.find((record) => record.disk.id === disk.id));
  if (here === undefined || there === undefined) return undefined;
  if (here.stats.logicalBytes !== there.stats.logicalBytes) return undefined;
  try {
    return {
      source: await from.openMap(source, here, signal),
      destination: await to.openMap(destination, there, signal),
    };
  } catch (error) {
    if (error instanceof IntegrityError) return undefined;
    throw error;
  }
}

/** Whether one of these points is a copy of the other, or both are of a third. */
export function isSameTaken(a: RecoveryPoint, b: RecoveryPoint): boolean {
  return originOf(a.id) === originOf(b.id) && a.runId === b.runId && a.takenAt === b.takenAt;
}
