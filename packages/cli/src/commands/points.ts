import { plural } from "@ovault/core";

import type { RecoveryPoint } from "@ovault/core";

import { examples, type CommandContext, type Define } from "../command.ts";
import { Installation } from "../installation.ts";
import { formatBytes, formatTime } from "../output/format.ts";
import { table, type View } from "../output/view.ts";
import { pointsOf } from "../select/find-point.ts";
import { summarizePoint, type PointSummary } from "./point-summary.ts";

interface PointsOptions {
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[vm]", "only those of this virtual machine: name or id")
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

/** Oldest first. Manifests that do not prove themselves are named on stderr and left out. */
export async function listPoints(
  context: CommandContext,
  vm: string | undefined,
  { from }: PointsOptions,
): Promise<readonly PointSummary[]> {
  await using installation = await Installation.open(context);
  const repository = await installation.repository(from);
  const { points, damaged } = await repository.points.list(context.signal);
  if (damaged.length > 0) {
    const what = `${plural(damaged.length, "recovery point")} cannot be read`;
    context.terminal.complain(
      `warning: ${what}: ${damaged.map(({ key }) => key).join(", ")} (see ovault verify --all)`,
    );
  }
  return (vm === undefined ? points : pointsOf(points, vm)).map(summarizePoint);
}

export function pointsView(points: readonly PointSummary[]): View {
  const rows = points.map((point) => [
    point.id,
    point.vm.name,
    formatTime(point.takenAt),
    describeModes(point),
    String(point.disks.length),
    formatBytes(sum(point.disks.map((disk) => disk.logicalBytes))),
    formatBytes(sum(point.disks.map((disk) => disk.readBytes))),
    formatBytes(sum(point.disks.map((disk) => disk.storedBytes))),
  ]);
  const titles = ["point", "vm", "taken", "mode", ">disks", ">logical", ">read", ">stored"];
  return [table(titles, rows, "no recovery points yet")];
}

/** `incremental`, or `incremental+compared` where disks differ. */
function describeModes(point: PointSummary): string {
  return [...new Set(point.disks.map(({ mode }): RecoveryPoint["disks"][number]["mode"] => mode))].join("+");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
