import { UsageError } from "@ovault/contract";
import { verifyPoints, verifyRepository, verifySample, type VerifyProgress, type VerifyReport } from "@ovault/core";
import { z } from "zod";

import { asRun } from "../events/as-run.ts";
import type { Installation } from "../installation/installation.ts";
import { findPoint } from "../select/find-point.ts";
import { summarizeMachine } from "../summaries/machine-summary.ts";
import type { JobContext } from "../job-context.ts";
import { inJob } from "./in-job.ts";
import { flag, name, soundBy } from "./job-fields.ts";

/** Reads blocks back and compares them with their digests: of one point, of a sample, or all. */
export const verifyJobSchema = z
  .strictObject({
    kind: z.literal("verify"),
    /** Id, a unique beginning of it, or `VM@latest`. Default: everything. */
    point: name.optional(),
    /** Every pack, every point, and everything else in the repository. */
    all: flag,
    /** As many packs as are this share of what is stored, oldest check first. */
    sample: z.number().gt(0).max(1).optional(),
    /** The point is of a machine of this manager. */
    manager: name.optional(),
    /** Destination. */
    from: name.optional(),
  })
  .superRefine(soundBy(assertVerifySound));

export type VerifyJob = Readonly<z.output<typeof verifyJobSchema>>;

/** Reports damage instead of throwing it. */
export async function runVerify(installation: Installation, job: VerifyJob, given: JobContext): Promise<VerifyReport> {
  return await inJob(given, async (context) => {
    assertVerifySound(job);
    const repository = await installation.repository(job.from);
    const { manager, sample } = job;
    const { reporter, signal } = context;
    const point = job.point === undefined ? undefined : await findPoint(repository, job.point, context, { manager });
    const machine = point === undefined ? null : summarizeMachine(point.vm);
    return await asRun({ job: "verify", machine, title: "verify" }, context, async (run) => {
      const onProgress = (progress: VerifyProgress): void => run.counted({ of: "verify", ...progress });
      const report =
        point !== undefined
          ? await verifyPoints(repository, [point], { onProgress, signal })
          : sample !== undefined
            ? await verifySample(repository, { share: sample, onProgress, signal })
            : await verifyRepository(repository, { onProgress, signal });
      for (const note of report.notes) reporter.note(note);
      return report;
    });
  });
}

/** @throws UsageError */
export function assertVerifySound(job: Pick<VerifyJob, "point" | "all" | "sample" | "manager">): void {
  const { point, all, sample, manager } = job;
  if ([point !== undefined, all, sample !== undefined].filter(Boolean).length > 1) {
    throw new UsageError((field) => `name a point, or give ${field("all")}, or ${field("sample")}: one of them`);
  }
  if (manager !== undefined && point === undefined) {
    throw new UsageError((field) => `${field("manager")} is for a point: say which one`);
  }
}
