import type { OpenedEvent, PhaseEvent, SpanEvent } from "@ovault/contract";
import type { CopyTotals, PruneProgress, PruneReport, RepairReport, VerifyProgress, VerifyReport } from "@ovault/core";

import type { CopySummary } from "../summaries/copy-summary.ts";
import type { ForgetSummary } from "../summaries/forget-summary.ts";
import type { MachineSummary } from "../summaries/machine-summary.ts";
import type { PointSummary } from "../summaries/point-summary.ts";
import type { RestoredDisk, RestoredVm } from "../summaries/restore-summary.ts";
import type { ErrorSummary } from "../text/error-summary.ts";

/** The result of a run, by the kind of its job. */
export interface RunResults {
  readonly backup: PointSummary;
  readonly restore: RestoredVm;
  readonly "restore-disk": RestoredDisk;
  readonly copy: readonly CopySummary[];
  readonly forget: ForgetSummary;
  readonly prune: PruneReport;
  readonly verify: VerifyReport;
  readonly repair: RepairReport;
}

export type JobKind = keyof RunResults;

/** What a run is about. */
export interface RunSubject<K extends JobKind = JobKind> {
  readonly job: K;
  /** The machine whose data the run moves; null for a run that concerns a whole destination. */
  readonly machine: MachineSummary | null;
  /** For people: the machine's name, that of the new machine, the disk's alias, or the job. */
  readonly title: string;
  /** Number of runs in the job: one for each machine of a backup, otherwise 1. */
  readonly runs: number;
}

/** A disk that the run will read or write. */
export interface AnnouncedDisk {
  readonly id: string;
  readonly alias: string;
  readonly logicalBytes: number;
}

/** A point that the run will copy. */
export interface AnnouncedPoint {
  readonly id: string;
  /** Name of its machine. */
  readonly vm: string;
  /** Of all its disks. */
  readonly logicalBytes: number;
}

/** What a run has done so far, where it is not counted by disk. */
export type RunCounts =
  | ({ readonly of: "copy"; readonly point: string; readonly vm: string; readonly logicalBytes: number } & CopyTotals)
  | ({ readonly of: "prune" } & PruneProgress)
  | ({ readonly of: "verify" | "repair" } & VerifyProgress);

export type RunEventBody =
  /** The first event of a run, as soon as the job knows it: it may wait long before any work begins. */
  | ({ readonly kind: "started" } & Pick<RunSubject, "title" | "runs">)
  /** `wait`: for permits of the queue, or for a run that holds what this one needs; the detail says which. */
  | ({ readonly kind: "phase" } & PhaseEvent)
  /** The disks that the run takes; their sizes are known before any byte moves. */
  | { readonly kind: "disks"; readonly disks: readonly AnnouncedDisk[] }
  /** The points that a copy takes. */
  | { readonly kind: "points"; readonly points: readonly AnnouncedPoint[] }
  /** A point of a copy is done, well or not. */
  | { readonly kind: "point"; readonly result: CopySummary }
  /** The strategy has opened the disks of a machine, to read or to write them. */
  | ({ readonly kind: "opened" } & OpenedEvent)
  | ({ readonly kind: "progress" } & SpanEvent)
  | { readonly kind: "counted"; readonly counts: RunCounts }
  /** `job`: of the job as a whole; its first run has it, and the reporter had it already. */
  | { readonly kind: "warning"; readonly of: "run" | "job"; readonly message: string }
  /** What the reporter had as a note: a leftover of an earlier run that was removed, what the job waits for. As above. */
  | { readonly kind: "note"; readonly message: string }
  /** All data of a backup is stored; only work on the manager remains. */
  | { readonly kind: "copied" }
  /** The last event of a run, unless it failed. `result` is that of the `job`. */
  | { readonly kind: "finished"; readonly result: RunResults[JobKind] }
  /** The last event of a run that was cancelled or went wrong. */
  | { readonly kind: "failed"; readonly error: ErrorSummary };

/**
 * What happens in a run: plain data that survives JSON unchanged. A run begins with `started` and ends with `finished`
 * or `failed`, whatever happens. Its source limits the rate of `progress` (for each disk) and `counted`, because restores and copies count
 * every block and each consumer could only drop events that were made in vain. What it holds back comes before any other
 * event, and a disk that was moved whole has an event that shows it complete.
 */
export type RunEvent = RunEventBody & {
  readonly runId: string;
  readonly job: JobKind;
  readonly machine: MachineSummary | null;
  /** When it happened: ISO 8601, from the clock of the job's context. */
  readonly at: string;
};
