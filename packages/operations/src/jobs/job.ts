import { UsageError } from "@ovault/contract";
import { pathText, problemsOf } from "@ovault/core";
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

/** Further problems are only counted. */
const MOST_SHOWN = 100;

/**
 * A job from outside, with the defaults of what it leaves out. Whether what it names exists shows when it runs.
 * @throws UsageError that lists all problems, and repeats no value
 */
export function parseJob(value: unknown): Job {
  const result = jobSchema.safeParse(value, { reportInput: true });
  const trap = trapIn(value);
  if (result.success && trap === undefined) return result.data;
  const found = result.success ? [] : problemsOf(result.error, schemaOf(value));
  const all = trap === undefined ? found : [...found, { path: trap, problem: "is not a name that it may have" }];
  const problems = all.slice(0, MOST_SHOWN).map(({ path, problem }) => {
    const where = pathText(path);
    return where === "" ? problem : `${where}: ${problem}`;
  });
  if (all.length > problems.length) problems.push(`and ${all.length - problems.length} more`);
  const issues = result.error?.issues ?? [];
  const hints = issues.flatMap((issue) => (issue.code === "custom" ? (issue.params?.["hint"] ?? []) : []));
  throw new UsageError(`the job is not valid: ${problems.join("; ")}`, {
    context: { problems: all.length },
    ...(hints.length > 0 && { hint: hints.join(" ") }),
  });
}

/** The schema of its kind, which knows the keys that it may have. */
function schemaOf(value: unknown): z.ZodType {
  const kind = isObject(value) && "kind" in value ? value.kind : undefined;
  return jobSchema.options.find(({ shape }) => shape.kind.value === kind) ?? jobSchema;
}

/** Where a record of the job has the one key that schemas of records pass over in silence. */
function trapIn(job: unknown): readonly string[] | undefined {
  if (!isObject(job)) return undefined;
  const [holder] = Object.entries(job).find(([, inner]) => isObject(inner) && Object.hasOwn(inner, "__proto__")) ?? [];
  return holder === undefined ? undefined : [holder, "__proto__"];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
