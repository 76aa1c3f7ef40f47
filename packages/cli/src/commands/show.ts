import type { RecoveryPoint } from "@ovault/contract";
import { type DiskLosses, lossesOfMarked } from "@ovault/core";
import { Installation, formatBytes, formatTime, findPoint } from "@ovault/operations";

import { examples, type CommandContext, type Define } from "../command.ts";
import { facts, table, text, type View } from "../output/view.ts";
import { lossesView } from "./losses-view.ts";

interface ShowOptions {
  readonly manager?: string;
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .argument("<point>", "id, a unique beginning of it, or VM@latest")
    .option("--manager <name>", "only points of this manager's machines")
    .option("--from <destination>", "destination to look in")
    .addHelpText("after", examples(["ovault show web01@latest", "disks, modes and reasons"]))
    .action((point: string, options: ShowOptions) =>
      invoke(command, async (context) => {
        const data = await showPoint(context, point, options);
        return { data, view: pointView(data) };
      }),
    );
};

/** The whole manifest, and the known losses of its disks. */
export interface ShownPoint extends RecoveryPoint {
  readonly lost: readonly DiskLosses[];
}

/** Checks chunks recorded as damaged; reads no data. */
export async function showPoint(
  context: CommandContext,
  wanted: string,
  { manager, from }: ShowOptions,
): Promise<ShownPoint> {
  await using installation = await Installation.open(context);
  const repository = await installation.repository(from);
  const point = await findPoint(repository, wanted, context, { manager });
  const losses = await lossesOfMarked(repository, [point], context.signal);
  return { ...point, lost: losses.get(point.id) ?? [] };
}

export function pointView(point: ShownPoint): View {
  const disks = point.disks.map(({ disk, mode, reason, stats }) => [
    String(disk.index),
    disk.alias,
    mode,
    formatBytes(stats.logicalBytes),
    formatBytes(stats.readBytes),
    formatBytes(stats.storedBytes),
    reason,
  ]);
  return [
    facts([
      ["point", point.id],
      ["virtual machine", `${point.vm.name} (${point.vm.id}) of ${point.vm.manager}`],
      ["former manager", point.storedManager],
      ["taken", formatTime(point.takenAt)],
      ["sealed", formatTime(point.sealedAt)],
      ["strategy", point.strategy],
      ["chosen because", point.strategyReason],
      ["base", point.basePoint ?? "none: a full backup"],
      ["consistency", point.consistency],
      ["documents", point.documents.map(({ name }) => name).join(", ") || "none"],
      ["made by", `ovault ${point.ovaultVersion}, run ${point.runId}`],
      ["copied from", point.copiedFrom === undefined ? undefined : `repository ${point.copiedFrom}`],
    ]),
    table([">#", "disk", "mode", ">logical", ">read", ">stored", "why"], disks, "no disks"),
    ...point.skipped.map(({ disk, reason }) => text(`not taken: ${disk.alias}: ${reason}`)),
    ...point.warnings.map((warning) => text(`warning: ${warning}`)),
    ...lossesView(point.lost),
  ];
}
