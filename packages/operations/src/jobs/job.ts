import { UsageError } from "@ovault/contract";
import { z } from "zod";

import { backupJobSchema } from "./backup-job.ts";
import { copyJobSchema } from "./copy-job.ts";
import { forgetJobSchema } from "./forget-job.ts";
import { pruneJobSchema } from "./prune-job.ts";
import { repairJobSchema } from "./repair-job.ts";
import { restoreDiskJobSchema } from "./restore-disk-job.ts";
import { restoreJobSchema } from "./restore-job.ts";
import { verifyJobSchema } from "./verify-job.ts";

/** Everything that runs. A job is plain data: it survives JSON unchanged. */
export const jobSchema = z.discriminatedUnion(
  "kind",
  [
    backupJobSchema,
    restoreJobSchema,
    restoreDiskJobSchema,
    copyJobSchema,
    forgetJobSchema,
    pruneJobSchema,
    verifyJobSchema,
    repairJobSchema,
  ],
  { error: ({ code }) => (code === "invalid_union" ? `must be one of ${kinds().join(", ")}` : undefined) },
);

export type Job = z.output<typeof jobSchema>;

function kinds(): readonly string[] {
  return jobSchema.options.map(({ shape }) => shape.kind.value);
}

/**
 * A job from outside, with the defaults of what it leaves out. Whether what it names exists shows when it runs.
 * @throws UsageError that lists all problems
 */
export function parseJob(value: unknown): Job {
  const result = jobSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => {
    const where = path.map(String).join(".");
    return where === "" ? message : `${where}: ${message}`;
  });
  const hints = result.error.issues.flatMap((issue) => (issue.code === "custom" ? (issue.params?.["hint"] ?? []) : []));
  throw new UsageError(`the job is not valid: ${problems.join("; ")}`, {
    context: { problems: problems.length },
    ...(hints.length > 0 && { hint: hints.join(" ") }),
  });
}
