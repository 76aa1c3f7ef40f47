import { formatBytes, formatTime, Installation, showPoint, type ShownPoint } from "@ovault/operations";

import { examples, type Define } from "../command.ts";
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
        await using installation = await Installation.open(context);
        const data = await showPoint(installation, { point, ...options }, context);
        return { data, view: pointView(data) };
      }),
    );
};

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
      ["copied from", point.copiedFrom],
    ]),
    table([">#", "disk", "mode", ">logical", ">read", ">stored", "why"], disks, "no disks"),
    ...point.skipped.map(({ disk, reason }) => text(`not taken: ${disk.alias}: ${reason}`)),
    ...point.warnings.map((warning) => text(`warning: ${warning}`)),
    ...lossesView(point.lost),
  ];
}
