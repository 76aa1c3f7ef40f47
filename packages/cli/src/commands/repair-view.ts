import { plural } from "@ovault/contract";
import type { DamagedThing, RepairReport } from "@ovault/core";

import { formatBytes, formatTime } from "@ovault/operations";
import { machineTitles } from "../output/machine-titles.ts";
import { facts, table, text, type View } from "../output/view.ts";

const LEASE_ADVICE =
  "Make sure that no run is at work on any node. Then run `ovault repair --free-damaged-leases`: a run that held one of " +
  "them stops at its next sign of life and seals nothing.";
const MANIFEST_ADVICE =
  "Copy the objects to a safe place if they are to be examined. Then run `ovault repair " +
  "--remove-damaged-manifests`: what only they needed is freed by the next prune.";

export function repairView(report: RepairReport): View {
  const {
    dryRun,
    index,
    packsListed,
    packs,
    places,
    rescued,
    pagesStored,
    points,
    lost,
    healed,
    manifests,
    leases,
    records,
    foreign,
  } = report;
  const titleOf = machineTitles(lost.map(({ vm }) => vm));
  const lostRows = lost.map(({ point, vm, takenAt, disks, lostBytes }) => [
    point,
    titleOf(vm),
    formatTime(takenAt),
    disks.map(({ alias }) => alias).join(", "),
    formatBytes(lostBytes),
  ]);
  return [
    facts([
      ["index", describeIndex(index, packsListed)],
      ["damaged chunks", describePlaces(places)],
      ["found again", rescued > 0 ? `${plural(rescued, "chunk")}, in packs under wrong names` : undefined],
      ["block maps", pagesStored > 0 ? `${plural(pagesStored, "page")} stored a second time` : undefined],
      ["points", `${points}, ${lost.length === 0 ? "none has lost data" : `${lost.length} of them have lost data`}`],
      ["healed", healed.length > 0 ? healed.join(", ") : undefined],
      ["records", records.length > 0 ? `${plural(records.length, "unreadable record")} removed` : undefined],
    ]),
    ...packs.map((reason) => text(reason)),
    ...(lost.length > 0 ? [table(["point", "vm", "taken", "disks", ">lost"], lostRows, "")] : []),
    ...describeThings("manifest", manifests, MANIFEST_ADVICE),
    ...describeThings("lease", leases, LEASE_ADVICE),
    ...describeForeign(foreign),
    ...(lost.length > 0
      ? [text("A later backup that meets lost blocks again brings them back; `ovault show` has the ranges.")]
      : []),
    ...(dryRun ? [text("Nothing was changed.")] : []),
  ];
}

function describeIndex(damaged: readonly DamagedThing[], packsListed: number): string {
  if (damaged.length === 0 && packsListed === 0) return "whole";
  return `${plural(damaged.length, "damaged object")} removed, ${plural(packsListed, "pack")} listed again`;
}

function describePlaces({ added, cleared, known }: RepairReport["places"]): string {
  return `${known} known, ${added} of them new, ${cleared} found to be good again`;
}

function describeThings(what: string, things: readonly DamagedThing[], advice: string): View {
  const lines = things.map(({ name, reason, removed }) => `${what} ${name}: ${reason}${removed ? " (removed)" : ""}`);
  const left = things.some(({ removed }) => !removed);
  return [...(lines.length > 0 ? [text(...lines)] : []), ...(left ? [text(advice)] : [])];
}

function describeForeign({ count, first }: RepairReport["foreign"]): View {
  if (count === 0) return [];
  const more = count - first.length;
  return [
    text(
      `${plural(count, "object")} in the destination are not of ovault, and are left alone:`,
      ...first.map((key) => `  ${key}`),
      ...(more > 0 ? [`  and ${more} more`] : []),
    ),
  ];
}
