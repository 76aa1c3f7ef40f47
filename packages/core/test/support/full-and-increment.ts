import { expect } from "vitest";

import { IntegrityError } from "@ovault/contract";
import { type Repository, verifyRepository } from "@ovault/core";
import { never, restoredBytes, takePoint } from "@ovault/test-support/repository/take-point";
import { applyChanges, type ModelDisk, sourceOf } from "@ovault/testkit";

export const first: ModelDisk = {
  bytes: Uint8Array.from({ length: 9001 }, (_, at) => (at * 31 + (at >> 8)) & 0xff),
  extents: [{ offset: 0, length: 9001, kind: "data" }],
};
/** After the increment. */
export const second = applyChanges(first, { changes: [{ at: 0.4, length: 700, seed: 9 }], grownBy: 0 });

/** Takes points of `first` and `second`. */
export async function takeFullAndIncrement(repository: Repository): Promise<void> {
  const base = await takePoint(repository, [sourceOf(first)]);
  await takePoint(repository, [sourceOf(second, { mode: "incremental" })], { base });
}

/** Verifies, and restores all points it can find: wrong bytes are never returned. Says whether any damage was found. */
export async function showsDamage(repository: Repository): Promise<boolean> {
  let found = (await verifyRepository(repository, { signal: never })).damage.length > 0;
  const { points } = await repository.points.list(never);
  for (const point of points) {
    const expected = point.disks[0]?.mode === "full" ? first.bytes : second.bytes;
    try {
      expect(await restoredBytes(repository, point)).toEqual(expected);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      found = true;
    }
  }
  return found;
}
