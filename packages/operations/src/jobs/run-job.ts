import type { JobKind } from "../events/run-event.ts";
import type { Installation } from "../installation/installation.ts";
import type { JobContext } from "../job-context.ts";
import { runBackup } from "./backup-job.ts";
import { runCopy } from "./copy-job.ts";
import { runForget } from "./forget-job.ts";
import { runPrune } from "./prune-job.ts";
import { runRepair } from "./repair-job.ts";
import { runRestoreDisk } from "./restore-disk-job.ts";
import { runRestore } from "./restore-job.ts";
import { runVerify } from "./verify-job.ts";

const runners = {
  backup: runBackup,
  restore: runRestore,
  "restore-disk": runRestoreDisk,
  copy: runCopy,
  forget: runForget,
  prune: runPrune,
  verify: runVerify,
  repair: runRepair,
};

/** A job of one kind, or of some. */
export type JobOf<K extends JobKind> = Parameters<(typeof runners)[K]>[1];
/** What a job of this kind gives its caller. */
export type JobResult<K extends JobKind> = Awaited<ReturnType<(typeof runners)[K]>>;

type Runners = {
  readonly [K in JobKind]: (installation: Installation, job: JobOf<K>, context: JobContext) => Promise<JobResult<K>>;
};

/** Runs a job of any kind, such as `parseJob` gives. */
export async function runJob<K extends JobKind>(
  installation: Installation,
  job: JobOf<K> & { readonly kind: K },
  context: JobContext,
): Promise<JobResult<K>> {
  const byKind: Runners = runners;
  return await byKind[job.kind](installation, job, context);
}
