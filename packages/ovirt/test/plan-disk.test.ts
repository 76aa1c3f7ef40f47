import * as fc from "fast-check";
import { expect, test } from "vitest";

import { readSnapshotMarker } from "../src/chain/snapshot-marker.ts";
import { planDisk, UNKNOWN_PARENT } from "../src/chain/plan-disk.ts";
import { circumstances, DISK_ID, frozenDisks } from "./support/arbitrary-disks.ts";

test("a layer is an increment exactly where it lies on the volume that the last point's snapshot holds now", () => {
  fc.assert(
    fc.property(frozenDisks, circumstances, (frozen, known) => {
      const { full, basePoint, record, base } = known;
      const marker = readSnapshotMarker(record);
      const isAsked = !full && basePoint !== undefined;
      const isOurs = marker?.vmId === "vm-1" && marker.diskId === DISK_ID && marker.snapshotId === base?.id;
      const volume = base?.disks.find(({ id }) => id === DISK_ID)?.imageId;
      const headerWillTell = frozen.parentId === UNKNOWN_PARENT && known.headerTells;
      const liesOnIt = frozen.parentId === volume || headerWillTell;
      const isUsable = base?.status === "ok" && volume !== undefined && frozen.disk.logicalBytes >= 1024;
      const expected = isAsked && isOurs && isUsable && liesOnIt ? { volumeId: volume, bytes: 1024 } : undefined;
      expect(planDisk(frozen, known).since).toEqual(expected);
    }),
    { numRuns: 1_000 },
  );
});

test("every plan has a reason and another mode to fall back to; with a record that is a comparison, unless full is asked for", () => {
  fc.assert(
    fc.property(frozenDisks, circumstances, (frozen, known) => {
      const { reason, otherwise } = planDisk(frozen, known);
      expect(reason).not.toBe("");
      expect(otherwise).toBe(known.full || known.record === undefined ? "full" : "compared");
      const isOfAnother = known.record?.base !== undefined && readSnapshotMarker(known.record) === undefined;
      const isTold = isOfAnother && !known.full && known.basePoint !== undefined;
      expect(reason === "point-1 was taken by another strategy").toBe(isTold);
    }),
  );
});
