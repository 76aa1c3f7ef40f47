import type { RestorePlan } from "@ovault/contract";

import { formatBytes, formatDuration, type RestoredDisk, type RestoredVm } from "@ovault/operations";
import { facts, text, type View } from "../output/view.ts";
import { lossesView } from "./losses-view.ts";

export function restoredVmView({ point, vm, manager, doneBytes, writtenBytes, lost, elapsedMs }: RestoredVm): View {
  return [
    facts([
      ["restored", `${point} as ${vm.name} (${vm.id}) on ${manager}`],
      ["to import", vm.awaitsImport === undefined ? undefined : `from ${vm.awaitsImport}, in the manager`],
      ["disks", vm.disks.map(({ id }) => id).join(", ") || "none"],
      ["data", describeData(doneBytes, writtenBytes, elapsedMs)],
    ]),
    ...lossesView(lost),
  ];
}

export function restoredDiskView(restored: RestoredDisk): View {
  const { point, disk, file, format, doneBytes, writtenBytes, lost, elapsedMs } = restored;
  return [
    facts([
      ["restored", `disk ${disk.alias} of ${point}`],
      ["file", `${file} (${format})`],
      ["data", describeData(doneBytes, writtenBytes, elapsedMs)],
    ]),
    ...lossesView(lost),
  ];
}

export function restorePlanView({ steps, warnings }: RestorePlan): View {
  return [
    text(...steps.map((step, index) => `${index + 1}. ${step}`)),
    ...warnings.map((warning) => text(`warning: ${warning}`)),
    text("Nothing was changed."),
  ];
}

function describeData(doneBytes: number, writtenBytes: number, elapsedMs: number): string {
  return `${formatBytes(doneBytes)}, ${formatBytes(writtenBytes)} of it written, in ${formatDuration(elapsedMs)}`;
}
