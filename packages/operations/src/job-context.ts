import type { Clock, FieldName } from "@ovault/contract";
import type { RunQueue } from "@ovault/core";

import type { RunEvent } from "./events/run-event.ts";
import type { OperationContext } from "./operation-context.ts";

/** The inputs of every job beside the job itself. */
export interface JobContext extends Pick<OperationContext, "signal" | "reporter"> {
  /**
   * Receives the events of all runs of the job, of each in order, and is not waited for. What it throws, or rejects with,
   * disturbs no run; the reporter has it once. A job that fails before its first run, such as for a name that does not
   * exist, rejects without any event.
   */
  readonly emit: (event: RunEvent) => void | Promise<void>;
  /** How errors in results and events name fields of jobs. Default: as jobs are written. */
  readonly field?: FieldName;
  /** Default: that of the system. */
  readonly clock?: Clock;
  /** Shared by the jobs of a process, so that the limits of policies hold over all of them. Default: one for each job. */
  readonly queue?: RunQueue;
}
