import { plural, UsageError } from "@ovault/contract";
import { copyPoints, type CopyResult } from "@ovault/core";
import { z } from "zod";

import { asRun } from "../events/as-run.ts";
import { logicalBytesOf } from "../events/logical-bytes-of.ts";
import type { Installation, PointsOfDestination } from "../installation/installation.ts";
import { selectToCopy } from "../select/select-to-copy.ts";
import { summarizeCopy, type CopySummary } from "../summaries/copy-summary.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { inJob } from "./in-job.ts";
import { flag, name, names, soundBy } from "./job-fields.ts";

/** Copies recovery points to another destination: those named, all of machines, or all. */
export const copyJobSchema = z
  .strictObject({
    kind: z.literal("copy"),
    /** Ids, unique beginnings of them, or `VM@latest`. */
    points: names,
    /** All points of these machines: names or ids. */
    vms: names,
    /** All points. */
    all: flag,
    /** Destination that holds the points. */
    from: name.optional(),
    /** Destination to copy to; it was set up already. */
    to: name,
    /** Only points of this manager's machines. */
    manager: name.optional(),
    /** Of `vms` or `all` only points that are newer than what the destination has of the machine. */
    newer: flag,
    /** When another run holds a machine at the destination, wait for it instead of refusing. */
    wait: flag,
  })
  .superRefine(soundBy(assertCopySound));

export type CopyJob = Readonly<z.output<typeof copyJobSchema>>;

/** Copies the oldest point first. A point that fails does not stop the others. */
export async function runCopy(
  installation: Installation,
  job: CopyJob,
  given: JobContext,
): Promise<readonly CopySummary[]> {
  return await inJob(given, async (context) => {
    const prepared = await prepare(installation, job, context);
    const { reporter, signal, clock } = context;
    return await asRun({ job: "copy", machine: null, title: "copy" }, context, async (run) => {
      run.announcePoints(prepared.points);
      const results = await copyPoints({
        ...prepared,
        runId: run.runId,
        ifBusy: job.wait ? "wait" : "refuse",
        onWait: (what) => run.waits(what),
        onDoubt: (message) => reporter.note(message),
        onProgress: (point, totals) => {
          const { id, vm } = point;
          run.counted({ of: "copy", point: id, vm: vm.name, logicalBytes: logicalBytesOf(point), ...totals });
        },
        onResult: (result) => run.emit({ kind: "point", result: summarizeCopy(result, context.field) }),
        signal,
        ...(clock && { clock }),
      });
      return results.map((result) => summarizeCopy(result, context.field));
    });
  });
}

/** What `runCopy` would read. */
export async function planCopy(
  installation: Installation,
  job: CopyJob,
  given: JobContext,
): Promise<readonly CopySummary[]> {
  return await inJob(given, async (context) => {
    const prepared = await prepare(installation, job, context);
    const results = await copyPoints({ ...prepared, dryRun: true, signal: context.signal });
    return results.map((result) => summarizeCopy(result, context.field));
  });
}

interface PreparedCopy {
  readonly from: PointsOfDestination;
  readonly to: PointsOfDestination;
  readonly points: readonly CopyResult["point"][];
}

async function prepare(installation: Installation, job: CopyJob, context: InnerContext): Promise<PreparedCopy> {
  assertCopySound(job);
  const from = await installation.points(job.from);
  const to = await installation.points(job.to);
  const { points: wanted, vms, manager, newer } = job;
  const selected = await selectToCopy({ from, to }, { names: wanted, vms, manager, newer }, context);
  const { points, forgotten } = selected;
  if (forgotten > 0) context.reporter.note(`${plural(forgotten, "point")} left out: forgotten at the destination`);
  return { from, to, points };
}

/** Requires one of points, machines and all. @throws UsageError */
export function assertCopySound({ points, vms, all, newer }: Pick<CopyJob, "points" | "vms" | "all" | "newer">): void {
  const ways = [points.length > 0, vms.length > 0, all].filter(Boolean).length;
  if (ways !== 1) {
    throw new UsageError("say which points to copy", {
      hint: (field) => `Name points, or give ${field("vms")}, or ${field("all")}: one of them.`,
    });
  }
  if (newer && points.length > 0) {
    throw new UsageError(
      (field) => `${field("newer")} is for ${field("vms")} and ${field("all")}, not for points that are named`,
    );
  }
}
