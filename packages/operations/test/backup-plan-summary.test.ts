import { expect, test } from "vitest";

import type { Assessment, BaseMarker, RecoveryPoint } from "@ovault/contract";
import { chooseStrategy } from "@ovault/core";
import { barePoint } from "@ovault/test-support/repository/bare-point";
import { diskStats, ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { summarizePlan } from "../src/summaries/backup-plan-summary.ts";

const { signal } = new AbortController();
const platform = new ModelPlatform();
platform.disks.set("a", { bytes: new Uint8Array(1), extents: [] });
const vm = platform.vm();

/** Continues from every point that has a marker, and must keep a snapshot for the next increment. */
class SnapshotReader extends ModelStrategy {
  override async assess(): Promise<Assessment> {
    return { disks: [{ diskId: "a", verdict: "incremental", reason: "a layer", keeps: "a snapshot" }] };
  }

  keeps({ disks }: RecoveryPoint) {
    return disks.flatMap(({ base }) => (base === undefined ? [] : { kind: "snapshot", title: "kept", detail: {} }));
  }
}

/** The plan for the only disk, after a point by this strategy with this marker, where no increment is scheduled. */
async function planned(strategy: ModelStrategy, takenBy: string, marker: BaseMarker | undefined) {
  const choice = await chooseStrategy([strategy], vm, { excludeDisks: [], keepBase: false, signal });
  if (choice === undefined) throw new Error("nothing was chosen");
  const disks = vm.disks.map((disk) => {
    const record = { disk, mode: "full", reason: "", blockMap: null, stats: diskStats(1) } as const;
    return marker === undefined ? record : { ...record, base: marker };
  });
  const base = barePoint(vm, { id: "point-1", takenAt: new Date(0), strategy: takenBy, disks });
  const plan = { vm, strategy: strategy.name, assessments: choice.disks, base, baseHasLosses: false, unclaimed: [] };
  return summarizePlan({ ...plan, disks: vm.disks, skipped: [] }, choice, false).disks[0];
}

test("a plan is incremental where the last point kept a snapshot, whichever strategy took it and whatever is scheduled", async () => {
  const reader = new SnapshotReader(platform);
  const marker = { kind: "snapshot" };
  expect(await planned(reader, "model", marker)).toMatchObject({ action: "incremental", reason: "a layer" });
  expect(await planned(reader, "another", marker)).toMatchObject({ action: "incremental" });
  const nothing = { action: "compared", reason: "point-1 left nothing to start from" };
  expect(await planned(reader, "model", undefined)).toMatchObject(nothing);
  const another = { action: "compared", reason: "point-1 was taken by another" };
  expect(await planned(new ModelStrategy(platform), "another", marker)).toMatchObject(another);
});
