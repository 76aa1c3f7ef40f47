import { compareNatural, machineKey, plural } from "@ovault/contract";
import { inOrder } from "@ovault/core";
import { formatTime, type ForgetSummary, type PointSummary } from "@ovault/operations";

import { machineTitles } from "../output/machine-titles.ts";
import { table, text, type View } from "../output/view.ts";

export function forgetView({ dryRun, forgotten, kept, warnings }: ForgetSummary): View {
  const goes = dryRun ? "would go" : "forgotten";
  const lines: readonly Line[] = [
    ...forgotten.map((point) => ({ point, outcome: goes, why: "" })),
    ...kept.map(({ point, reasons }) => ({ point, outcome: "kept", why: reasons.join(", ") })),
  ];
  const ordered = inOrder(lines.map(({ point }) => point));
  const titleOf = machineTitles(ordered.map(({ vm }) => vm));
  // Machine by machine, each from its oldest point.
  const ages = new Map(ordered.map((point, age) => [point, age]));
  const rows = lines
    .toSorted(
      (a, b) => compareNatural(machineOf(a), machineOf(b)) || (ages.get(a.point) ?? 0) - (ages.get(b.point) ?? 0),
    )
    .map(({ point, outcome, why }) => [titleOf(point.vm), point.id, formatTime(point.takenAt), outcome, why]);
  const [points, others] = [plural(forgotten.length, "recovery point"), kept.length > 0 ? `, ${kept.length} kept` : ""];
  const freed = forgotten.length > 0 ? "; `ovault prune` frees their space" : "";
  return [
    table(["vm", "point", "taken", "what", "why"], rows, "no recovery points"),
    ...warnings.map((warning) => text(`warning: ${warning}`)),
    text(
      dryRun ? `${points} would be forgotten${others}; nothing was changed` : `${points} forgotten${others}${freed}`,
    ),
  ];
}

interface Line {
  readonly point: PointSummary;
  readonly outcome: string;
  readonly why: string;
}

function machineOf({ point: { vm } }: Line): string {
  return `${vm.name}\0${machineKey(vm)}`;
}
