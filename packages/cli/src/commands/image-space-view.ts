import { plural } from "@ovault/contract";
import { formatBytes, formatTime, type ImagesSpace } from "@ovault/operations";

import { machineTitles } from "../output/machine-titles.ts";
import { facts, table, text, type View } from "../output/view.ts";

export function imageSpaceView({ report }: ImagesSpace): View {
  const { fileSystem, machines, others } = report;
  const titleOf = machineTitles(machines.map(({ vm }) => vm));
  const rows = machines.flatMap(({ vm, byPoint }) =>
    byPoint.map(({ id, takenAt, logicalBytes, allocatedBytes }) => [
      titleOf(vm),
      id,
      formatTime(takenAt),
      formatBytes(logicalBytes),
      allocated(allocatedBytes),
    ]),
  );
  const left = `${allocated(others.allocatedBytes)} in ${plural(others.images, "image")}`;
  return [
    facts([
      ["file system", fileSystem === null ? undefined : formatBytes(fileSystem.totalBytes)],
      ["used", fileSystem === null ? undefined : `${formatBytes(fileSystem.usedBytes)}, by whatever lies there`],
      ["free", fileSystem === null ? undefined : formatBytes(fileSystem.freeBytes)],
      [
        "of no point",
        others.images > 0 ? `${left}; the next backup of the machine removes what is left over` : undefined,
      ],
    ]),
    table(["vm", "point", "taken", ">logical", ">allocated"], rows, "no recovery points yet"),
    facts([
      ["logical", formatBytes(report.logicalBytes)],
      ["allocated", allocated(report.allocatedBytes)],
    ]),
    text("Allocated counts a block that images share for each of them: forgetting a point frees less."),
  ];
}

function allocated(bytes: number | null): string {
  return bytes === null ? "unknown" : formatBytes(bytes);
}
