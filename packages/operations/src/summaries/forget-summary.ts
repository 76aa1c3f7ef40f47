import type { ForgetPlan } from "../forget/forget-plan.ts";
import { summarizeMachine, type MachineSummary } from "./machine-summary.ts";
import { summarizePoint, type PointSummary } from "./point-summary.ts";

/** What was forgotten and kept, or would be, as `--json` shows it; docs/cli.md describes it. */
export interface ForgetSummary {
  /** True if nothing was changed. */
  readonly dryRun: boolean;
  readonly forgotten: readonly PointSummary[];
  readonly kept: readonly { readonly point: PointSummary; readonly reasons: readonly string[] }[];
  /** Machines that the rules skipped. */
  readonly inDoubt: readonly MachineSummary[];
  readonly warnings: readonly string[];
}

export function summarizeForget({ forget, keep, inDoubt, warnings }: ForgetPlan, dryRun: boolean): ForgetSummary {
  return {
    dryRun,
    forgotten: forget.map(summarizePoint),
    kept: keep.map(({ point, reasons }) => ({ point: summarizePoint(point), reasons })),
    inDoubt: inDoubt.map(summarizeMachine),
    warnings,
  };
}
