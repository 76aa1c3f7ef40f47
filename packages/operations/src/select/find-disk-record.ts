import { type DiskRecord, NotFoundError, type RecoveryPoint } from "@ovault/contract";

import { findDisk } from "./find-disk.ts";

/** A disk that a point holds, as `findDisk`. @throws NotFoundError that says why the point does not hold it */
export function findDiskRecord(point: RecoveryPoint, wanted: string): DiskRecord {
  const owner = `recovery point ${point.id}`;
  const { id } = findDisk(
    [...point.disks, ...point.skipped].map(({ disk }) => disk),
    wanted,
    owner,
  );
  const record = point.disks.find(({ disk }) => disk.id === id);
  if (record !== undefined) return record;
  const reason = point.skipped.find(({ disk }) => disk.id === id)?.reason ?? "it was not taken";
  throw new NotFoundError(`${owner} does not hold disk ${wanted}: ${reason}`, { context: { disk: id } });
}
