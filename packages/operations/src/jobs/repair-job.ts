import { repairRepository, type RepairReport } from "@ovault/core";
import { z } from "zod";

import { asRun } from "../events/as-run.ts";
import type { Installation } from "../installation/installation.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { inJob } from "./in-job.ts";
import { flag, name } from "./job-fields.ts";

/** Puts a damaged repository right, and marks what is lost. */
export const repairJobSchema = z.strictObject({
  kind: z.literal("repair"),
  /** Read every pack first, to find undiscovered damage. */
  readData: flag,
  /** Delete manifests that cannot be read; their points are lost for good. */
  removeDamagedManifests: flag,
  /** Give back leases that cannot be read; only when no run is at work on any node. */
  freeDamagedLeases: flag,
  /** When a prune or another repair is at work, wait for it instead of refusing. */
  wait: flag,
  /** Destination. */
  from: name.optional(),
});

export type RepairJob = Readonly<z.output<typeof repairJobSchema>>;

export async function runRepair(
  installation: Installation,
  job: RepairJob,
  context: JobContext,
): Promise<RepairReport> {
  return await inJob(context, (inner) => repairDestination(installation, job, false, inner));
}

/** What `runRepair` would do. Reports its progress as a run too: it reads as much. */
export async function planRepair(
  installation: Installation,
  job: RepairJob,
  context: JobContext,
): Promise<RepairReport> {
  return await inJob(context, (inner) => repairDestination(installation, job, true, inner));
}

async function repairDestination(
  installation: Installation,
  { readData, removeDamagedManifests, freeDamagedLeases, wait, from }: RepairJob,
  dryRun: boolean,
  context: InnerContext,
): Promise<RepairReport> {
  const repository = await installation.repository(from);
  const { reporter, signal } = context;
  return await asRun({ job: "repair", machine: null, title: "repair" }, context, (run) =>
    repairRepository(repository, {
      runId: run.runId,
      readData,
      removeDamagedManifests,
      freeDamagedLeases,
      dryRun,
      ifBusy: wait ? "wait" : "refuse",
      onWait: (what) => run.waits(what),
      onDoubt: (message) => reporter.note(message),
      onStep: (step) => run.phase(step),
      onProgress: (progress) => run.counted({ of: "repair", ...progress }),
      signal,
    }),
  );
}
