import { plural } from "@ovault/contract";
import type { PruneReport } from "@ovault/core";

import { formatBytes, formatTime, type PruneOutcome } from "@ovault/operations";
import { heldByLossesView } from "./held-by-losses-view.ts";
import { facts, text, type View } from "../output/view.ts";

export function pruneView({ report, holders }: PruneOutcome): View {
  const { dryRun, freedPacks, freedBytes, deletedPoints, condemnedPacks, condemnedBytes, graceUntil } = report;
  const { repackedPacks, copiedBytes, reprievedPacks, reprievedBytes, keptPacks, keptBytes, extendedLocks } = report;
  const name = (done: string): string => (dryRun ? `would be ${done}` : done);
  const points = deletedPoints > 0 ? `, and the manifests of ${plural(deletedPoints, "forgotten point")}` : "";
  const later = graceUntil === null ? "" : `, to be freed from ${formatTime(graceUntil)} on`;
  return [
    facts([
      [name("freed"), packs(freedPacks, freedBytes) + points],
      [
        name("repacked"),
        repackedPacks > 0 ? `${plural(repackedPacks, "pack")}, ${formatBytes(copiedBytes)} copied` : undefined,
      ],
      [
        name("condemned"),
        condemnedPacks > 0 || graceUntil !== null ? packs(condemnedPacks, condemnedBytes) + later : undefined,
      ],
      ["locked", describeLocks(report)],
      ["needed again", reprievedPacks > 0 ? packs(reprievedPacks, reprievedBytes) : undefined],
      [name("kept"), packs(keptPacks, keptBytes)],
      ["locks extended", extendedLocks > 0 ? plural(extendedLocks, "object") : undefined],
    ]),
    ...(holders.length > 0
      ? [text("Waiting for runs that may rely on what is condemned:", ...holders.map(indented))]
      : []),
    ...describeHeldPoints(report),
    ...heldByLossesView(report.heldByLosses),
    ...describeUnreadable(report),
    ...describeMisplaced(report),
    ...(dryRun ? [text("Nothing was changed.")] : []),
  ];
}

function packs(count: number, bytes: number): string {
  return `${formatBytes(bytes)} in ${plural(count, "pack")}`;
}

function describeLocks({ lockedPacks, lockedBytes, lockedUntil }: PruneReport): string | undefined {
  if (lockedPacks === 0) return undefined;
  const until = lockedUntil === null ? "" : `, the first of them until ${formatTime(lockedUntil)}`;
  return `${packs(lockedPacks, lockedBytes)} held by the destination${until}`;
}

function describeHeldPoints({ heldPoints }: PruneReport): View {
  if (heldPoints.length === 0) return [];
  const lines = heldPoints.map(
    ({ point, pid, node, since, kept }) =>
      `${point}: ${kept ? "a share" : `process ${pid}`} on ${node} since ${formatTime(since)}`,
  );
  const last = heldPoints
    .filter(({ kept }) => kept)
    .map(({ node, resource }) =>
      text(
        `If ${node} is gone for good, delete leases/${resource}/ from the destination to give up what its share holds.`,
      ),
    );
  return [text("Forgotten, and kept while they are served:", ...lines.map(indented)), ...last];
}

function describeUnreadable({ unreadablePacks }: PruneReport): View {
  if (unreadablePacks.length === 0) return [];
  const count = plural(unreadablePacks.length, "pack");
  return [text(`${count} cannot be read, so their content is unknown; left alone:`, ...unreadablePacks.map(indented))];
}

function describeMisplaced({ misplacedPacks }: PruneReport): View {
  if (misplacedPacks.length === 0) return [];
  const count = plural(misplacedPacks.length, "pack");
  return [
    text(`${count} hold other chunks than the index says; left alone:`, ...misplacedPacks.map(indented)),
    text("Were packs exchanged? Give them their names back, or run `ovault repair --read-data`."),
  ];
}

function indented(line: string): string {
  return `  ${line}`;
}
