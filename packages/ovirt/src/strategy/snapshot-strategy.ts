import type { BackupRequest, HeldInstant, NewLedgerEntry, RecoveryPoint, RunContext } from "@ovault/contract";

import { holdSnapshot, type SnapshotReading } from "../chain/hold-snapshot.ts";
import { keptSnapshots } from "../chain/kept-snapshots.ts";
import { OvirtStrategy, type OvirtStrategyParts } from "./ovirt-strategy.ts";

export type SnapshotStrategyParts = OvirtStrategyParts & SnapshotReading;

/** A strategy that reads snapshots. A `VolumeReader` and a `DiskFiller` determine how. */
export abstract class SnapshotStrategy extends OvirtStrategy {
  readonly #reading: SnapshotReading;

  constructor(parts: SnapshotStrategyParts) {
    super(parts);
    this.#reading = parts;
  }

  protected override hold(request: BackupRequest, context: RunContext): Promise<HeldInstant> {
    return holdSnapshot(this.#reading, request, context);
  }

  keeps(point: RecoveryPoint): readonly NewLedgerEntry[] {
    return typeof this.#reading.reader.increments === "string" ? [] : keptSnapshots(point);
  }
}
