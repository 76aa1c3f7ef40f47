import type { FieldName } from "@ovault/contract";
import type { CopyResult } from "@ovault/core";

import { errorSummary, type ErrorSummary } from "../text/error-summary.ts";
import { summarizeMachine, type MachineSummary } from "./machine-summary.ts";

/** The copy of one point as `--json` shows it. Sizes in bytes. */
export interface CopySummary {
  readonly point: string;
  /** Id at the destination; null when the copy failed. */
  readonly copyId: string | null;
  readonly vm: MachineSummary;
  readonly takenAt: string;
  readonly outcome: CopyResult["outcome"];
  readonly doneBytes: number;
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly error: ErrorSummary | null;
}

/** @param field how texts name fields of jobs */
export function summarizeCopy(result: CopyResult, field?: FieldName): CopySummary {
  const { point, copyId = null, outcome, doneBytes, readBytes, storedBytes, error } = result;
  return {
    point: point.id,
    copyId,
    vm: summarizeMachine(point.vm),
    takenAt: point.takenAt,
    outcome,
    doneBytes,
    readBytes,
    storedBytes,
    error: error === undefined ? null : errorSummary(error, field),
  };
}
