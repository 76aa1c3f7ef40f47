import { type RecoveryPoint, UsageError } from "@ovault/contract";
import {
  verifyImages,
  verifyPoints,
  verifyRepository,
  verifySample,
  type VerifyOptions,
  type VerifyProgress,
  type VerifyReport,
} from "@ovault/core";
import { z } from "zod";

import { asRun } from "../events/as-run.ts";
import type { Installation, PointsOfDestination } from "../installation/installation.ts";
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
    const store = await installation.points(job.from);
    const { manager, sample } = job;
    const { reporter, signal } = context;
    const point = job.point === undefined ? undefined : await findPoint(store, job.point, context, { manager });
    const machine = point === undefined ? null : summarizeMachine(point.vm);
    return await asRun({ job: "verify", machine, title: "verify" }, context, async (run) => {
      const onProgress = (progress: VerifyProgress): void => run.counted({ of: "verify", ...progress });
      const report = await verify(store, { ...(point && { points: [point] }), sample, onProgress, signal });
      for (const note of report.notes) reporter.note(note);
      return report;
    });
  });
}

interface WantedVerification extends VerifyOptions {
  readonly points?: readonly RecoveryPoint[];
  readonly sample: number | undefined;
}

async function verify(store: PointsOfDestination, wanted: WantedVerification): Promise<VerifyReport> {
  const { points, sample, ...options } = wanted;
  if (store.kind === "images") {
    if (sample === undefined) return await verifyImages(store, wanted);
    throw new UsageError("whole images have no packs to take a sample of", {
      hint: "Verify one point after the other, or all of them.",
    });
  }
  if (points !== undefined) return await verifyPoints(store, points, options);
  if (sample !== undefined) return await verifySample(store, { share: sample, ...options });
  return await verifyRepository(store, options);
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
