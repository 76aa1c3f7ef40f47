import {
  formatBytes,
  formatTime,
  Installation,
  listPoints,
  type ListedPoint,
  type PointSummary,
} from "@ovault/operations";

import { examples, type Define } from "../command.ts";
import { machineTitles } from "../output/machine-titles.ts";
import { table, text, type View } from "../output/view.ts";

interface PointsOptions {
  readonly manager?: string;
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[vm]", "only those of this virtual machine: name or id")
    .option("--manager <name>", "only points of this manager's machines")
    .option("--from <destination>", "destination to look in")
    .addHelpText(
      "after",
      examples(["ovault points", "all, oldest first"], ["ovault points web01 --json", "for scripts"]),
    )
    .action((vm: string | undefined, options: PointsOptions) =>
      invoke(command, async (context) => {
        await using installation = await Installation.open(context);
        const points = await listPoints(installation, { vm, ...options }, context);
        return { data: points, view: pointsView(points) };
      }),
    );
};

export function pointsView(points: readonly ListedPoint[]): View {
  const damaged = points.some(({ lostBytes }) => lostBytes > 0);
  const titleOf = machineTitles(points.map(({ vm }) => vm));
  const rows = points.map((point) => [
    point.id,
    titleOf(point.vm),
    formatTime(point.takenAt),
    describeModes(point),
    String(point.disks.length),
    formatBytes(sum(point.disks.map((disk) => disk.logicalBytes))),
    formatBytes(sum(point.disks.map((disk) => disk.readBytes))),
    formatBytes(sum(point.disks.map((disk) => disk.storedBytes))),
    ...(damaged ? [point.lostBytes > 0 ? formatBytes(point.lostBytes) : ""] : []),
  ]);
  const titles = ["point", "vm", "taken", "mode", ">disks", ">logical", ">read", ">stored"];
  return [
    table(damaged ? [...titles, ">lost"] : titles, rows, "no recovery points yet"),
    ...(damaged ? [text("Points that have lost data restore with --salvage only; `ovault show` has the ranges.")] : []),
  ];
}

/** `incremental`, `incremental+compared` where disks differ, `configuration` without disks. */
function describeModes(point: PointSummary): string {
  if (point.disks.length === 0) return "configuration";
  return [...new Set(point.disks.map(({ mode }) => mode))].join("+");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
