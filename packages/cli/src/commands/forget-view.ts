import { plural, type RecoveryPoint } from "@ovault/core";

import { formatTime } from "../output/format.ts";
import { table, text, type View } from "../output/view.ts";
import type { ForgetPlan } from "./forget-plan.ts";
import { summarizePoint, type PointSummary } from "./point-summary.ts";

export interface ForgetOutcome extends ForgetPlan {
  /** Nothing was changed. */
  readonly dryRun: boolean;
}

/** As `--json` shows it; docs/cli.md describes it. */
export interface ForgetSummary {
  readonly dryRun: boolean;
  readonly forgotten: readonly PointSummary[];
  readonly kept: readonly { readonly point: PointSummary; readonly reasons: readonly string[] }[];
  readonly warnings: readonly string[];
}

export function forgetData({ dryRun, forget, keep, warnings }: ForgetOutcome): ForgetSummary {
  return {
    dryRun,
    forgotten: forget.map(summarizePoint),
    kept: keep.map(({ point, reasons }) => ({ point: summarizePoint(point), reasons })),
    warnings,
  };
}

export function forgetView({ dryRun, forget, keep, warnings }: ForgetOutcome): View {
  const goes = dryRun ? "would go" : "forgotten";
  const lines: readonly Line[] = [
    ...forget.map((point) => ({ point, fate: goes, why: "" })),
    ...keep.map(({ point, reasons }) => ({ point, fate: "kept", why: reasons.join(", ") })),
  ];
  const rows = lines
    .toSorted(compareLines)
    .map(({ point, fate, why }) => [point.vm.name, point.id, formatTime(point.takenAt), fate, why]);
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

/** Machine by machine, oldest first. */
function compareLines(a: Line, b: Line): number {
  const [left, right] = [a, b].map(({ point }) => [point.vm.name, point.vm.id, point.takenAt, point.id].join("\0"));
  return (left ?? "") < (right ?? "") ? -1 : 1;
}
