import { formatBytes, formatDuration, type BackupPlanSummary, type BackupSummary } from "@ovault/operations";

import { table, text, type View } from "../output/view.ts";
import { choicesView } from "./choices-view.ts";

export function resultsView(results: readonly BackupSummary[]): View {
  const rows = results.flatMap(({ vm, elapsedMs, opened, point }) => {
    if (point === null) return [];
    const { id: pointId, strategy } = point;
    const time = formatDuration(elapsedMs);
    if (point.disks.length === 0) {
      return [[vm.name, pointId, strategy, "none", "", "", "", "", "", time, "configuration alone"]];
    }
    return point.disks.map(({ id, alias, mode, reason, logicalBytes, readBytes, storedBytes }, position) => [
      position === 0 ? vm.name : "",
      position === 0 ? pointId : "",
      position === 0 ? strategy : "",
      alias,
      opened?.disks.find(({ diskId }) => diskId === id)?.carrier ?? "",
      mode,
      formatBytes(logicalBytes),
      formatBytes(readBytes),
      formatBytes(storedBytes),
      position === 0 ? time : "",
      reason,
    ]);
  });
  const titles = ["vm", "point", "strategy", "disk", "through", "mode", ">logical", ">read", ">stored", ">time", "why"];
  return [
    ...(rows.length > 0 ? [table(titles, rows, "")] : []),
    ...results.flatMap(({ vm, point, warnings }) => [
      ...(point?.skipped ?? []).map(({ alias, reason }) => text(`${vm.name}: not taken: ${alias}: ${reason}`)),
      ...(point === null ? [] : warnings).map((warning) => text(`${vm.name}: warning: ${warning}`)),
    ]),
    ...failuresView(results),
    ...totalView(results),
  ];
}

function failuresView(outcomes: readonly Pick<BackupSummary, "vm" | "error">[]): View {
  return outcomes.flatMap(({ vm, error }) => {
    if (error === null) return [];
    const { message, hint } = error;
    return [text(`${vm.name}: failed: ${message}`, ...(hint === null ? [] : [`  hint: ${hint}`]))];
  });
}

/** The totals of several machines. */
function totalView(results: readonly BackupSummary[]): View {
  if (results.length < 2) return [];
  const failed = results.filter(({ error }) => error !== null).length;
  const disks = results.flatMap(({ point }) => point?.disks ?? []);
  const read = sum(disks.map(({ readBytes }) => readBytes));
  const stored = sum(disks.map(({ storedBytes }) => storedBytes));
  const ended = `${results.length - failed} of ${results.length} virtual machines backed up`;
  return [text(`${ended}${failed === 0 ? "" : `, ${failed} failed`}; ${read} read, ${stored} stored`)];
}

function sum(values: readonly number[]): string {
  return formatBytes(values.reduce((total, value) => total + value, 0));
}

export function plansView(outcomes: readonly BackupPlanSummary[]): View {
  const plans = outcomes.filter((outcome) => outcome.error === null);
  const rows = plans.flatMap(({ vm, strategy, disks }) =>
    disks.length === 0
      ? [[vm.name, strategy, "none", "", "", "configuration alone"]]
      : disks.map((disk, position) => [
          position === 0 ? vm.name : "",
          position === 0 ? strategy : "",
          disk.alias,
          formatBytes(disk.logicalBytes),
          disk.action,
          disk.reason,
        ]),
  );
  return [
    table(["vm", "strategy", "disk", ">size", "would be", "why"], rows, "nothing to do"),
    ...choicesView(plans),
    ...failuresView(outcomes),
    text("Nothing was changed."),
  ];
}
