import { type DiskRecord, NotFoundError, type RecoveryPoint } from "@ovault/contract";
import { newRunId, type PointHold } from "@ovault/core";
import { Qcow2View, type RangedDisk } from "@ovault/disk-image";

import type { Installation, PointsOfDestination } from "../installation/installation.ts";
import type { JobContext } from "../job-context.ts";
import { findPoint } from "../select/find-point.ts";
import { holdServedPoint } from "../serve/hold-served-point.ts";
import { type OpenedDisks, openServedDisks } from "../serve/open-served-disks.ts";
import type { SharedDiskDescription, SharedPointDescription } from "./share-description.ts";
import type { ShareDirectory } from "./share-directory.ts";

const DEFAULT_CACHE_BYTES = 256 * 1024 ** 2;
/** In names of overlays: another layout of views would need another number. */
const VIEW = { raw: "raw", cow: "qcow2-1" } as const;

/** A disk as hosts are going to see it. */
export interface SharedDisk {
  readonly description: SharedDiskDescription;
  /** Of the volume in the share's table. */
  readonly volume: string;
  readonly view: RangedDisk;
  /** Tells the view from all others for ever. */
  readonly name: string;
}

/** A point that is held and whose disks are open. */
export class SharedPoint {
  readonly disks: readonly SharedDisk[];
  readonly hold: PointHold | undefined;
  readonly #opened: OpenedDisks;

  /** The hold outlives this process: the next start has it again. @throws NotFoundError; errors of the store */
  static async open(
    installation: Installation,
    directory: ShareDirectory,
    description: SharedPointDescription,
    context: Pick<JobContext, "reporter" | "signal" | "clock"> & { readonly cacheBytes: number | undefined },
  ): Promise<SharedPoint> {
    const store = await installation.points(description.destination);
    const point = await keptPoint(store, directory, description, context);
    const hold = await holdServedPoint(store, point, newRunId(), context, description.hold);
    const records = description.disks.map(({ disk }) => recordOf(point, disk));
    const { cacheBytes = DEFAULT_CACHE_BYTES, signal } = context;
    const opened = await openServedDisks(store, { point, records }, { cacheBytes, signal });
    try {
      const place = `${await store.identify(signal)}/${point.id}`;
      const byRecord = new Map([...opened.byName.values()].map(({ record, disk }) => [record, disk]));
      const disks = description.disks.map((one, at): SharedDisk => {
        const record = recordOf(point, one.disk);
        const disk = byRecord.get(record);
        if (disk === undefined) throw new NotFoundError(`disk ${one.disk} of ${point.id} is not open`);
        const view = one.format === "cow" ? new Qcow2View(disk) : disk;
        const name = `${place}/${record.disk.id}/${VIEW[one.format]}`;
        return { description: one, volume: volumeName(description, at), view, name };
      });
      return new SharedPoint(disks, hold, opened);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  private constructor(disks: readonly SharedDisk[], hold: PointHold | undefined, opened: OpenedDisks) {
    this.disks = disks;
    this.hold = hold;
    this.#opened = opened;
  }

  /** Closes the disks. The point stays held. */
  async close(): Promise<void> {
    await this.#opened.close();
  }
}

/** Name of a volume in the table of its share. */
export function volumeName({ hold }: SharedPointDescription, disk: number): string {
  return `${hold}-${disk}`;
}

/** A point that was forgotten after it was first shared is found in the directory of the share alone. */
async function keptPoint(
  store: PointsOfDestination,
  directory: ShareDirectory,
  { hold, point: id }: SharedPointDescription,
  context: Pick<JobContext, "reporter" | "signal">,
): Promise<RecoveryPoint> {
  const kept = await directory.point(hold);
  if (kept !== undefined) return kept;
  const point = await findPoint(store, id, context);
  await directory.keepPoint(hold, point);
  return point;
}

function recordOf(point: RecoveryPoint, disk: string): DiskRecord {
  const record = point.disks.find((one) => one.disk.id === disk);
  if (record !== undefined) return record;
  throw new NotFoundError(`recovery point ${point.id} has no disk ${disk}`, { context: { point: point.id, disk } });
}
