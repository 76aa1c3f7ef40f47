import { processIdentity } from "@ovault/contract";
import { DEFAULT_REPACK, prune, type PruneReport, type RepackLimits } from "@ovault/core";
import { z } from "zod";

import { asRun } from "../events/as-run.ts";
import type { Installation } from "../installation/installation.ts";
import { describeHolders } from "../maintenance/describe-holders.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { inJob } from "./in-job.ts";
import { flag, name } from "./job-fields.ts";

/** Frees the space of what no recovery point needs; docs/operations.md says what is freed when. */
export const pruneJobSchema = z.strictObject({
  kind: z.literal("prune"),
  /** How long what is condemned stays at least. Default: 24 h. */
  graceMs: z.int().min(0).optional(),
  /** Empty packs of which this share is dead, or none. Default: 0.5. */
  repack: z
    .union([z.number().gt(0).max(1), z.literal("none")], "must be a share above 0 and up to 1, or none")
    .optional(),
  /** Copy no more than this at once. Default: 2 GiB. */
  repackBudgetBytes: z.int().min(0).optional(),
  /** Free what only lost pages of block maps may lead to. */
  giveUpLost: flag,
  /** When a repair or another prune is at work, wait for it instead of refusing. */
  wait: flag,
  /** Destination. */
  from: name.optional(),
});

export type PruneJob = Readonly<z.output<typeof pruneJobSchema>>;

export interface PruneOutcome {
  readonly report: PruneReport;
  /** Runs that may rely on what is condemned, for people. */
  readonly holders: readonly string[];
}

/** Excludes all repacking: no pack is this cheap to copy. */
const NO_REPACK: RepackLimits = { minDeadShare: 1, budgetBytes: 0 };

export async function runPrune(installation: Installation, job: PruneJob, context: JobContext): Promise<PruneOutcome> {
  return await inJob(context, (inner) => pruneDestination(installation, job, false, inner));
}

/** What `runPrune` would do. Reports its progress as a run too: it reads as much. */
export async function planPrune(installation: Installation, job: PruneJob, context: JobContext): Promise<PruneOutcome> {
  return await inJob(context, (inner) => pruneDestination(installation, job, true, inner));
}

async function pruneDestination(
  installation: Installation,
  job: PruneJob,
  dryRun: boolean,
  context: InnerContext,
): Promise<PruneOutcome> {
  const repository = await installation.repository(job.from);
  const { reporter, signal, clock } = context;
  let holders: readonly string[] = [];
  const report = await asRun({ job: "prune", machine: null, title: "prune" }, context, async (run) => {
    let current = "";
    const pruned = await prune(repository, {
      holder: { runId: run.runId, ...processIdentity() },
      ...(job.graceMs !== undefined && { graceMs: job.graceMs }),
      repack: repackLimits(job),
      giveUpLost: job.giveUpLost,
      dryRun,
      ifBusy: job.wait ? "wait" : "refuse",
      onProgress: (progress) => {
        if (progress.step !== current) run.phase(progress.step);
        current = progress.step;
        run.counted({ of: "prune", ...progress });
      },
      onWait: (what) => run.waits(what),
      onDoubt: (message) => reporter.note(message),
      signal,
      ...(clock && { clock }),
    });
    holders = await describeHolders(repository, pruned.heldBy, signal);
    return pruned;
  });
  return { report, holders };
}

function repackLimits({ repack, repackBudgetBytes }: PruneJob): RepackLimits {
  if (repack === "none") return NO_REPACK;
  const { minDeadShare, budgetBytes } = DEFAULT_REPACK;
  return { minDeadShare: repack ?? minDeadShare, budgetBytes: repackBudgetBytes ?? budgetBytes };
}
