import { compareNatural, machineKey, plural, type RecoveryPoint } from "@ovault/contract";
import { inOrder } from "@ovault/core";

import { formatTime, type ForgetPlan, summarizePoint, type PointSummary } from "@ovault/operations";
import { machineTitles } from "../output/machine-titles.ts";
import { table, text, type View } from "../output/view.ts";

export interface ForgetOutcome extends ForgetPlan {
  /** True if nothing was changed. */
  readonly dryRun: boolean;
}

/** As `--json` shows it; docs/cli.md describes it. */
export interface ForgetSummary {
  readonly dryRun: boolean;
  readonly forgotten: readonly PointSummary[];
  readonly kept: readonly { readonly point: PointSummary; readonly reasons: readonly string[] }[];
  /** Machines that the rules skipped. */
  readonly inDoubt: readonly { readonly id: string; readonly name: string; readonly manager: string }[];
  readonly warnings: readonly string[];
}

export function forgetData({ dryRun, forget, keep, inDoubt, warnings }: ForgetOutcome): ForgetSummary {
  return {
    dryRun,
    forgotten: forget.map(summarizePoint),
    kept: keep.map(({ point, reasons }) => ({ point: summarizePoint(point), reasons })),
    inDoubt: inDoubt.map(({ id, name, manager }) => ({ id, name, manager })),
    warnings,
  };
}

export function forgetView({ dryRun, forget, keep, warnings }: ForgetOutcome): View {
  const goes = dryRun ? "would go" : "forgotten";
  const lines: readonly Line[] = [
    ...forget.map((point) => ({ point, fate: goes, why: "" })),
    ...keep.map(({ point, reasons }) => ({ point, fate: "kept", why: reasons.join(", ") })),
  ];
  const ordered = inOrder(lines.map(({ point }) => point));
  const titleOf = machineTitles(ordered.map(({ vm }) => vm));
  // Machine by machine, each from its oldest point.
  const ages = new Map(ordered.map((point, age) => [point, age]));
  const rows = lines
    .toSorted(
      (a, b) => compareNatural(machineOf(a), machineOf(b)) || (ages.get(a.point) ?? 0) - (ages.get(b.point) ?? 0),
    )
    .map(({ point, fate, why }) => [titleOf(point.vm), point.id, formatTime(point.takenAt), fate, why]);
  const [points, others] = [plural(forget.length, "recovery point"), keep.length > 0 ? `, ${keep.length} kept` : ""];
  const freed = forget.length > 0 ? "; `ovault prune` frees their space" : "";
  return [
    table(["vm", "point", "taken", "what", "why"], rows, "no recovery points"),
    ...warnings.map((warning) => text(`warning: ${warning}`)),
    text(
      dryRun ? `${points} would be forgotten${others}; nothing was changed` : `${points} forgotten${others}${freed}`,
    ),
  ];
}

interface Line {
  readonly point: RecoveryPoint;
  readonly fate: string;
  readonly why: string;
}

function machineOf({ point: { vm } }: Line): string {
  return `${vm.name}\0${machineKey(vm)}`;
}
