import type { RecoveryPoint } from "@ovault/contract";
import type { DiskLosses } from "../points/lost-ranges.ts";
import type { ChunkIndex } from "../repository/index/chunk-index.ts";
import { SinglePages } from "../repository/single-pages.ts";
import type { Damage } from "./damage.ts";

/** Points that cannot be restored intact, and other findings of walking points. */
export class DamagedPoints {
  readonly singlePages: SinglePages;
  readonly losses = new Map<RecoveryPoint, readonly DiskLosses[]>();

  constructor(index: ChunkIndex) {
    this.singlePages = new SinglePages(index);
  }

  add(point: RecoveryPoint, losses: readonly DiskLosses[]): void {
    this.losses.set(point, losses);
  }

  /** One for each range of each disk. */
  get damage(): readonly Damage[] {
    return [...this.losses].flatMap(([{ id }, losses]) =>
      losses.flatMap(({ alias, ranges }) => ranges.map((range) => ({ point: id, disk: alias, ...range }))),
    );
  }
}
