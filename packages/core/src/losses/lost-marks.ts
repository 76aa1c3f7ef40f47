import { z } from "zod";

import type { ObjectKey, RecoveryPoint } from "@ovault/contract";
import type { ManifestPlace } from "../points/claim-point.ts";
import type { DiskLosses } from "../points/lost-ranges.ts";
import { LOST } from "../format/layout.ts";
import { putRecord, readRecords, type RecordKind, type StoredRecord } from "../format/records.ts";
import type { DiskRange } from "../repository/reading/find-losses.ts";

const whole = z.number().int().nonnegative();
const schema = z.object({
  at: z.iso.datetime(),
  disks: z.array(
    z.object({ disk: z.string().min(1), ranges: z.array(z.object({ offset: whole, length: whole.positive() })) }),
  ),
});

type Mark = z.infer<typeof schema>;

/** Where marks lie, beside the manifests. */
export type MarkedPlace = Pick<ManifestPlace, "store" | "protection">;

type PointName = Pick<RecoveryPoint, "vm" | "id">;

const MARK: RecordKind<Mark> = { prefix: LOST, type: "lost", schema };
const MARK_KEY = /^lost\/([0-9a-f]{32}\/[0-9a-z-]{1,64}\/)[0-9a-f]{32}$/;

/**
 * Marks at points that lost data: where to look. In a repository, what is lost is determined by checking again, so that
 * a mark does no harm when a later backup has brought back what it is about.
 */
export class LostMarks {
  readonly #place: MarkedPlace;
  /** By folder of the point. An unreadable mark still shows that the point is marked. */
  readonly #marks: ReadonlyMap<string, readonly StoredRecord<Mark | undefined>[]>;

  private constructor(place: MarkedPlace, marks: ReadonlyMap<string, readonly StoredRecord<Mark | undefined>[]>) {
    this.#place = place;
    this.#marks = marks;
  }

  /** All marks, or those of one point. */
  static async read(place: MarkedPlace, signal: AbortSignal, point?: PointName): Promise<LostMarks> {
    const below = point === undefined ? LOST : LOST + folderOf(place, point);
    const { records, damaged } = await readRecords(place.store, MARK, signal, below);
    const marks = new Map<string, StoredRecord<Mark | undefined>[]>();
    for (const record of [...records, ...damaged.map(({ key }) => ({ key, value: undefined }))]) {
      const folder = MARK_KEY.exec(record.key)?.[1];
      if (folder !== undefined) marks.set(folder, [...(marks.get(folder) ?? []), record]);
    }
    return new LostMarks(place, marks);
  }

  has(point: PointName): boolean {
    return this.#marksOf(point).length > 0;
  }

  /** Ranges to check, by disk; undefined for everything. */
  rangesOf(point: RecoveryPoint): ReadonlyMap<string, readonly DiskRange[]> | undefined {
    const ranges = new Map<string, DiskRange[]>(point.disks.map(({ disk }) => [disk.id, []]));
    for (const { value } of this.#marksOf(point)) {
      if (value === undefined) return undefined;
      for (const disk of value.disks) ranges.get(disk.disk)?.push(...disk.ranges);
    }
    for (const found of ranges.values()) found.sort((a, b) => a.offset - b.offset);
    return ranges;
  }

  /** Records what a point has lost: puts a mark, keeps an equal one, or removes marks. True when it changed any. */
  async set(point: PointName, losses: readonly DiskLosses[], signal: AbortSignal): Promise<boolean> {
    const { store } = this.#place;
    const before = this.#marksOf(point);
    const disks = losses.map(({ disk, ranges }) => ({
      disk,
      ranges: ranges.map(({ offset, length }) => ({ offset, length })),
    }));
    if (before.length === (disks.length > 0 ? 1 : 0) && saysSame(before[0]?.value, disks)) return false;
    const below = LOST + folderOf(this.#place, point);
    if (disks.length > 0) await putRecord(store, MARK, { at: new Date().toISOString(), disks }, signal, below);
    for (const { key } of before) await store.delete(key, { signal });
    return true;
  }

  /** Keys of marks that belong to none of these points. */
  strayFrom(points: readonly RecoveryPoint[]): readonly ObjectKey[] {
    const known = new Set(points.map((point) => folderOf(this.#place, point)));
    return [...this.#marks].flatMap(([folder, marks]) => (known.has(folder) ? [] : marks.map(({ key }) => key)));
  }

  #marksOf(point: PointName): readonly StoredRecord<Mark | undefined>[] {
    return this.#marks.get(folderOf(this.#place, point)) ?? [];
  }
}

function folderOf({ protection }: MarkedPlace, { vm, id }: PointName): string {
  return `${protection.folderOf(vm.id)}/${id}/`;
}

function saysSame(mark: Mark | undefined, disks: Mark["disks"]): boolean {
  return JSON.stringify(mark?.disks ?? []) === JSON.stringify(disks);
}
