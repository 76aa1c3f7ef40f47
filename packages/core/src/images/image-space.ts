import { type ImageInfo, type ImageStoreUsage, machineKey, type ObjectKey, type RecoveryPoint } from "@ovault/contract";
import type { ImagePoints } from "./image-points.ts";

/** Sums over images, in bytes. */
export interface ImagesSum {
  /** Sizes of the disks. */
  readonly logicalBytes: number;
  /**
   * Blocks that the images refer to. One that several images share counts for each of them, so that this is neither
   * what they take together nor what forgetting them frees. Null where the store cannot say it.
   */
  readonly allocatedBytes: number | null;
}

export interface PointImagesSpace extends ImagesSum {
  readonly id: string;
  readonly takenAt: string;
}

export interface MachineImagesSpace extends ImagesSum {
  /** As in its newest point. */
  readonly vm: { readonly id: string; readonly name: string; readonly manager: string };
  readonly points: number;
  /** Oldest first. */
  readonly byPoint: readonly PointImagesSpace[];
}

/** How the space of a destination of whole images is used. */
export interface ImageSpaceReport extends ImagesSum {
  readonly kind: "images";
  /** With whatever else lies there: the one number that shows what shared blocks save. Null where the store cannot say it. */
  readonly fileSystem: ImageStoreUsage | null;
  /** Largest first, by `allocatedBytes`, then `logicalBytes`. */
  readonly machines: readonly MachineImagesSpace[];
  /** Images of no point: of runs under way or dead, of forgotten points that are still read, of damaged manifests. */
  readonly others: ImagesSum & { readonly images: number };
}

/** Asks the store; reads no image, changes nothing and takes no lease. */
export async function imageSpace({ points }: ImagePoints, signal: AbortSignal): Promise<ImageSpaceReport> {
  const { images } = points;
  const others = new Map<ObjectKey, ImageInfo>();
  for await (const info of images.list("", { signal })) others.set(info.key, info);
  const take = (point: RecoveryPoint): readonly ImageInfo[] =>
    point.disks.flatMap(({ disk }) => {
      const key = points.keyOfImage(point, disk.id);
      const info = others.get(key);
      others.delete(key);
      return info ?? [];
    });
  const byMachine = Map.groupBy((await points.list(signal)).points, ({ vm }) => machineKey(vm));
  const machines = [...byMachine.values()].map((own) => {
    const byPoint = own.map((point) => ({ id: point.id, takenAt: point.takenAt, ...sumOf(take(point)) }));
    const { id = "", name = "", manager = "" } = own.at(-1)?.vm ?? {};
    return { vm: { id, name, manager }, points: own.length, ...sumOf(byPoint), byPoint };
  });
  const left = { images: others.size, ...sumOf([...others.values()]) };
  return {
    kind: "images",
    fileSystem: (await images.usage?.({ signal })) ?? null,
    ...sumOf([...machines, left]),
    machines: machines.toSorted((a, b) => weightOf(b) - weightOf(a)),
    others: left,
  };
}

function sumOf(parts: readonly Partial<ImagesSum>[]): ImagesSum {
  let [logicalBytes, allocatedBytes]: [number, number | null] = [0, 0];
  for (const part of parts) {
    logicalBytes += part.logicalBytes ?? 0;
    allocatedBytes = allocatedBytes === null ? null : addTo(allocatedBytes, part.allocatedBytes);
  }
  return { logicalBytes, allocatedBytes };
}

function addTo(sum: number, bytes: number | null | undefined): number | null {
  return bytes === null || bytes === undefined ? null : sum + bytes;
}

function weightOf({ allocatedBytes, logicalBytes }: ImagesSum): number {
  return allocatedBytes ?? logicalBytes;
}
