import { formatBytes, formatTime, type CopySummary } from "@ovault/operations";

import { machineTitles } from "../output/machine-titles.ts";
import { table, text, type View } from "../output/view.ts";

export function copyView(results: readonly CopySummary[], dryRun: boolean): View {
  const words = dryRun
    ? { copied: "would be copied", healed: "would be healed", present: "is there", failed: "would fail" }
    : { copied: "copied", healed: "healed", present: "was there", failed: "failed" };
  const titleOf = machineTitles(results.map(({ vm }) => vm));
  const rows = results.map(({ point, vm, takenAt, outcome, readBytes, storedBytes }) => [
    point,
    titleOf(vm),
    formatTime(takenAt),
    words[outcome],
    formatBytes(readBytes),
    dryRun ? "" : formatBytes(storedBytes),
  ]);
  const renamed = results.flatMap(({ point, copyId }) =>
    copyId === null || copyId === point ? [] : [text(`${point} is ${copyId} at the destination`)],
  );
  const failures = results.flatMap(({ point, error }) => {
    if (error === null) return [];
    const { message, hint } = error;
    return [text(`${point}: ${message}`, ...(hint === null ? [] : [`  hint: ${hint}`]))];
  });
  return [
    table(["point", "vm", "taken", "outcome", ">read", ">stored"], rows, "nothing to copy"),
    ...renamed,
    ...failures,
    ...(dryRun ? [text("Nothing was changed.")] : []),
  ];
}
