import type { RecoveryPoint } from "@ovault/contract";
import { copyPoints, type CopyResult, type ImagePoints, type Repository, verifyImages } from "@ovault/core";
import { newKeyFile, smallEncrypted } from "@ovault/test-support/repository/encrypted-repository";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";
import { MemoryImageStore, MemoryStore } from "@ovault/testkit";

import type { CopyPointsOptions } from "../../../src/copy/copy-points.ts";
import { BLOCK_BYTES, pointsOn } from "../../images/support/image-site.ts";

export const KINDS = ["repository", "coarse", "encrypted", "images"] as const;
export type Kind = (typeof KINDS)[number];
export type Place = Repository | ImagePoints;

/** An empty place for points: a repository, one with larger blocks, an encrypted one, or images. */
export async function newPlace(kind: Kind): Promise<Place> {
  if (kind === "images") return pointsOn(new MemoryImageStore());
  if (kind === "coarse") return await smallRepository(new MemoryStore(), 4 * BLOCK_BYTES);
  if (kind === "encrypted") return await smallEncrypted(new MemoryStore(), newKeyFile(), { blockBytes: BLOCK_BYTES });
  return await smallRepository(new MemoryStore(), BLOCK_BYTES);
}

/** Copies these points, or all. */
export async function copyAll(
  from: Place,
  to: Place,
  options: Partial<CopyPointsOptions> = {},
): Promise<readonly CopyResult[]> {
  const { points } = await from.points.list(never);
  return await copyPoints({ from, to, points, signal: never, ...options });
}

/** Of the images in a place, those that no point needs. */
export async function imagesInVain(place: Place): Promise<readonly string[]> {
  if (place.kind === "repository") return [];
  const { points } = place;
  const all = await points.list(never);
  const needed = new Set(
    all.points.flatMap((point) => point.disks.map(({ disk }) => points.keyOfImage(point, disk.id))),
  );
  const keys: string[] = [];
  for await (const { key } of points.images.list("", { signal: never })) keys.push(key);
  return keys.filter((key) => !needed.has(key));
}

/** What verify finds in a place of images; nothing in a repository. */
export async function damageIn(place: Place): Promise<readonly unknown[]> {
  return place.kind === "repository" ? [] : (await verifyImages(place, { signal: never })).damage;
}

/** What a copy keeps of its origin, but for the counts of blocks, whose size may differ. */
export function keptIn({ disks, ...rest }: RecoveryPoint) {
  const kept = disks.map(({ disk, mode, reason, stats: { logicalBytes } }) => ({ disk, mode, reason, logicalBytes }));
  return { ...rest, copiedFrom: undefined, blockBytes: undefined, disks: kept };
}
