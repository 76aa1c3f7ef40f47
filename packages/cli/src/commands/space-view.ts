import { plural } from "@ovault/contract";
import type { PackSum, SpaceReport } from "@ovault/core";

import { formatBytes, formatTime, type RepositorySpace } from "@ovault/operations";
import { heldByLossesView } from "./held-by-losses-view.ts";
import { machineTitles } from "../output/machine-titles.ts";
import { facts, table, text, type View } from "../output/view.ts";

const HELD = "; prune holds it back while pages of block maps are lost";

export function spaceView({ report, holders }: RepositorySpace): View {
  const { totalBytes, dataBytes, metadata, deadPacks, underWay, unreadable, foreign } = report;
  const { logicalBytes, plainBytes, sharedBytes, machines } = report;
  const foreignObjects = `${formatBytes(foreign.bytes)} in ${plural(foreign.objects, "object")}`;
  const titleOf = machineTitles(machines.map(({ vm }) => vm));
  const rows = machines.map((machine) => [
    titleOf(machine.vm),
    String(machine.points),
    formatBytes(machine.logicalBytes),
    formatBytes(machine.ownBytes),
    formatBytes(machine.sharedBytes),
  ]);
  return [
    facts([
      ["in all", formatBytes(totalBytes)],
      ["data of points", formatBytes(dataBytes)],
      ["to find it", describeMetadata(metadata)],
      ["dead", describeDead(report)],
      ["dead packs", packs(deadPacks, isHeld(report) ? HELD : "; the next prune condemns them")],
      ["under way", packs(underWay, ", put by runs that are not done")],
      ["condemned", describeCondemned(report)],
      ["deletable", describeDeletable(report)],
      ["unreadable", packs(unreadable, "; see ovault verify --all")],
      ["not of ovault", foreign.objects > 0 ? foreignObjects : undefined],
    ]),
    ...(holders.length > 0
      ? [text("Runs that may rely on what is condemned:", ...holders.map((line) => `  ${line}`))]
      : []),
    ...heldByLossesView(report.heldByLosses),
    table(["vm", ">points", ">logical", ">own", ">shared"], rows, "no recovery points yet"),
    facts([
      ["logical", formatBytes(logicalBytes)],
      ["after deduplication", `${formatBytes(plainBytes)}${ratio(logicalBytes, plainBytes)}`],
      ["after compression", `${formatBytes(dataBytes)}${ratio(plainBytes, dataBytes)}`],
      ["shared by machines", formatBytes(sharedBytes)],
    ]),
  ];
}

function describeMetadata(metadata: SpaceReport["metadata"]): string {
  const { pageBytes, packBytes, indexBytes, manifestBytes, otherBytes } = metadata;
  const parts = [
    `block maps ${formatBytes(pageBytes)}`,
    `packs ${formatBytes(packBytes)}`,
    `index ${formatBytes(indexBytes)}`,
    `manifests ${formatBytes(manifestBytes)}`,
    `other ${formatBytes(otherBytes)}`,
  ];
  return `${formatBytes(pageBytes + packBytes + indexBytes + manifestBytes + otherBytes)} (${parts.join(", ")})`;
}

function isHeld({ heldByLosses }: SpaceReport): boolean {
  return heldByLosses.length > 0;
}

function describeDead(report: SpaceReport): string | undefined {
  const { deadBytes } = report;
  if (deadBytes === 0) return undefined;
  return `${formatBytes(deadBytes)} in packs that are needed${isHeld(report) ? HELD : "; see prune --repack"}`;
}

function describeCondemned(report: SpaceReport): string | undefined {
  const { condemned } = report;
  const { graceUntil } = condemned;
  if (isHeld(report)) return packs(condemned, HELD);
  return packs(condemned, graceUntil === null ? "" : `, to be freed from ${formatTime(graceUntil)} on`);
}

function describeDeletable({ deletable }: SpaceReport): string | undefined {
  const { lockedBytes, lockedUntil } = deletable;
  if (lockedUntil === null) return packs(deletable, "; the next prune deletes them");
  return packs(deletable, `, ${formatBytes(lockedBytes)} of it held until ${formatTime(lockedUntil)} or later`);
}

function packs({ packs: count, bytes }: PackSum, more: string): string | undefined {
  return count === 0 ? undefined : `${formatBytes(bytes)} in ${plural(count, "pack")}${more}`;
}

/** `, 3.5 : 1` */
function ratio(before: number, after: number): string {
  return after === 0 ? "" : `, ${(before / after).toFixed(1)} : 1`;
}
