import type { RecoveryPoint } from "@ovault/contract";
import { type DiskLosses, LostRanges } from "../points/lost-ranges.ts";
import type { LostMarks } from "./lost-marks.ts";

/** What a point of whole images has lost by its mark; all of it by a mark that cannot be read. */
export function lossesByMark(marks: LostMarks, point: RecoveryPoint): readonly DiskLosses[] {
  const marked = marks.rangesOf(point);
  const reason = marked === undefined ? "the mark of its damage cannot be read" : "verify found it damaged";
  return point.disks.flatMap(({ disk: { id: disk, alias }, stats: { logicalBytes } }) => {
    const lost = new LostRanges();
    let end = 0;
    // Ranges of two marks may overlap: one of them replaces the other.
    for (const range of marked?.get(disk) ?? (marked === undefined ? [{ offset: 0, length: logicalBytes }] : [])) {
      const offset = Math.max(end, range.offset);
      end = Math.max(end, range.offset + range.length);
      if (end > offset) lost.add({ offset, length: end - offset, reason });
    }
    return lost.ranges.length === 0 ? [] : [{ disk, alias, lostBytes: lost.lostBytes, ranges: lost.ranges }];
  });
}
