import type { CopyResult } from "@ovault/core";

import { errorSummary, formatBytes, formatTime } from "@ovault/operations";
import { machineTitles } from "../output/machine-titles.ts";
import { table, text, type View } from "../output/view.ts";

/** The results for programs: errors as their code, message and hint. */
export function copyData(results: readonly CopyResult[]): unknown {
  return results.map(({ point, copyId = null, outcome, doneBytes, readBytes, storedBytes, error }) => ({
    point: point.id,
    copyId,
    vm: { id: point.vm.id, name: point.vm.name, manager: point.vm.manager },
    takenAt: point.takenAt,
    outcome,
    doneBytes,
    readBytes,
    storedBytes,
    error: error === undefined ? null : errorSummary(error),
  }));
}

export function copyView(results: readonly CopyResult[], dryRun: boolean): View {
  const words = dryRun
    ? { copied: "would be copied", healed: "would be healed", present: "is there", failed: "would fail" }
    : { copied: "copied", healed: "healed", present: "was there", failed: "failed" };
  const titleOf = machineTitles(results.map(({ point }) => point.vm));
  const rows = results.map(({ point, outcome, readBytes, storedBytes }) => [
    point.id,
    titleOf(point.vm),
    formatTime(point.takenAt),
    words[outcome],
    formatBytes(readBytes),
    dryRun ? "" : formatBytes(storedBytes),
  ]);
  const renamed = results.flatMap(({ point, copyId }) =>
    copyId === undefined || copyId === point.id ? [] : [text(`${point.id} is ${copyId} at the destination`)],
  );
  const failures = results.flatMap(({ point, error }) => {
    if (error === undefined) return [];
    const { message, hint } = errorSummary(error);
    return [text(`${point.id}: ${message}`, ...(hint === null ? [] : [`  hint: ${hint}`]))];
  });
  return [
    table(["point", "vm", "taken", "outcome", ">read", ">stored"], rows, "nothing to copy"),
    ...renamed,
    ...failures,
    ...(dryRun ? [text("Nothing was changed.")] : []),
  ];
}
