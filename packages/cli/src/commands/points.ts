import { plural, type RecoveryPoint } from "@ovault/contract";
import { lossesOfMarked, unclaimedWarnings } from "@ovault/core";
import { Installation, formatBytes, formatTime, pointsOf, summarizePoint, type PointSummary } from "@ovault/operations";

import { examples, type CommandContext, type Define } from "../command.ts";
import { machineTitles } from "../output/machine-titles.ts";
import { table, text, type View } from "../output/view.ts";

/** A point, and its known losses, in bytes. */
export interface ListedPoint extends PointSummary {
  readonly lostBytes: number;
}

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
        const points = await listPoints(context, vm, options);
        return { data: points, view: pointsView(points) };
      }),
    );
};

/** Oldest first. Names manifests that fail verification on stderr and leaves them out. */
export async function listPoints(
  context: CommandContext,
  vm: string | undefined,
  { manager, from }: PointsOptions,
): Promise<readonly ListedPoint[]> {
  await using installation = await Installation.open(context);
  const repository = await installation.repository(from);
  const { points, damaged } = await repository.points.list(context.signal);
  if (damaged.length > 0) {
    const what = `${plural(damaged.length, "recovery point")} cannot be read`;
    context.terminal.complain(
      `warning: ${what}: ${damaged.map(({ key }) => key).join(", ")} (see ovault verify --all)`,
    );
  }
  const ofManager = points.filter((point) => (manager ?? point.vm.manager) === point.vm.manager);
  const wanted = vm === undefined ? ofManager : pointsOf(points, vm, { manager });
  for (const warning of unclaimedWarnings(installation.unclaimed(wanted))) context.terminal.note(`note: ${warning}`);
  const losses = await lossesOfMarked(repository, wanted, context.signal);
  return wanted.map((point) => {
    const lostBytes = sum((losses.get(point.id) ?? []).map((disk) => disk.lostBytes));
    return { ...summarizePoint(point), lostBytes };
  });
}

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
  return [...new Set(point.disks.map(({ mode }): RecoveryPoint["disks"][number]["mode"] => mode))].join("+");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
