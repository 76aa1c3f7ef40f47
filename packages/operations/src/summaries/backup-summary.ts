import type { FieldName, OpenedEvent } from "@ovault/contract";
import type { MachineBackupOutcome } from "@ovault/core";

import type { MachineRun } from "../events/machine-runs.ts";
import { errorSummary, type ErrorSummary } from "../text/error-summary.ts";
import { summarizeMachine, type MachineSummary } from "./machine-summary.ts";
import { summarizePoint, type PointSummary } from "./point-summary.ts";

/** The backup of one machine as `--json` shows it: a point or an error. */
export interface BackupSummary {
  readonly vm: MachineSummary;
  /** The run, as its events and its point name it. */
  readonly runId: string;
  /** Since its start, without time in the queue. 0 if cancelled before the start. */
  readonly elapsedMs: number;
  /** The strategy that read the disks, and what carried the data of each; null where none were opened. */
  readonly opened: OpenedEvent | null;
  readonly point: PointSummary | null;
  /** Of the run: also those after the seal, which the point does not have. */
  readonly warnings: readonly string[];
  readonly error: ErrorSummary | null;
}

/** @param field how texts name fields of jobs */
export function summarizeBackup(
  { vm, elapsedMs, point, error }: MachineBackupOutcome,
  { report: { runId }, opened, warnings }: MachineRun,
  field?: FieldName,
): BackupSummary {
  return {
    vm: summarizeMachine(vm),
    runId,
    elapsedMs,
    opened: opened ?? null,
    point: point === undefined ? null : summarizePoint(point),
    warnings,
    error: error === undefined ? null : errorSummary(error, field),
  };
}
