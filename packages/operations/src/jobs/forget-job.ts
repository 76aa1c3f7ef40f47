import { UsageError } from "@ovault/contract";
import type { PointStore, RetentionRules } from "@ovault/core";
import { z } from "zod";

import { asRun } from "../events/as-run.ts";
import { configuredRules, policyRules } from "../forget/configured-rules.ts";
import { planByName, planByRules, rulesForAll, type ForgetPlan } from "../forget/forget-plan.ts";
import type { Installation } from "../installation/installation.ts";
import { summarizeForget, type ForgetSummary } from "../summaries/forget-summary.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { inJob } from "./in-job.ts";
import { flag, name, names, soundBy } from "./job-fields.ts";

const count = z.int().min(1);

/** Removes the named recovery points or, by rules, those that no rule keeps. */
export const forgetJobSchema = z
  .strictObject({
    kind: z.literal("forget"),
    /** Ids, unique beginnings of them, or `VM@latest`. */
    points: names,
    /** Rules for all machines: numbers of points to keep. */
    keepLast: count.optional(),
    keepDaily: count.optional(),
    keepWeekly: count.optional(),
    keepMonthly: count.optional(),
    keepYearly: count.optional(),
    /** By `retention` in ovault.yaml: of the policies for their machines, else of the destination. */
    retention: flag,
    /** The same, only for the machines of this policy, at its destination. */
    policy: name.optional(),
    /** By rules only points of these machines: names or ids. */
    vms: names,
    /** Only points of this manager's machines. */
    manager: name.optional(),
    /** Where days begin, like Europe/Berlin. Default: that of this process. */
    timeZone: name.optional(),
    /** Destination. */
    from: name.optional(),
  })
  .superRefine(soundBy(assertForgetSound));

export type ForgetJob = Readonly<z.output<typeof forgetJobSchema>>;

/** The blocks of forgotten points stay in a repository until it is pruned; whole images go at once. */
export async function runForget(installation: Installation, job: ForgetJob, given: JobContext): Promise<ForgetSummary> {
  return await inJob(given, async (context) => {
    const { store, plan } = await prepare(installation, job, context);
    return await asRun({ job: "forget", machine: null, title: "forget" }, context, async () => {
      for (const point of plan.forget) await store.points.forget(point, context.signal);
      return summarizeForget(plan, false);
    });
  });
}

/** What `runForget` would remove. */
export async function planForget(
  installation: Installation,
  job: ForgetJob,
  given: JobContext,
): Promise<ForgetSummary> {
  return await inJob(given, async (context) => {
    return summarizeForget((await prepare(installation, job, context)).plan, true);
  });
}

async function prepare(
  installation: Installation,
  job: ForgetJob,
  context: InnerContext,
): Promise<{ readonly store: PointStore; readonly plan: ForgetPlan }> {
  assertForgetSound(job);
  const { configuration } = installation;
  const { points, policy, vms, manager, timeZone, from } = job;
  const source = policy === undefined ? undefined : policyRules(configuration, policy, from);
  const store = await installation.points(source?.destination ?? from);
  if (points.length > 0) return { store, plan: await planByName(store, points, { manager }, context) };
  const own = rulesOf(job);
  const rules = source?.rules ?? (own === undefined ? configuredRules(configuration, from) : rulesForAll(own));
  const { signal } = context;
  return { store, plan: await planByRules(store, { rules, vms, manager, timeZone, signal }) };
}

type Rules = Pick<ForgetJob, "keepLast" | "keepDaily" | "keepWeekly" | "keepMonthly" | "keepYearly">;

function rulesOf({ keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly }: Rules): RetentionRules | undefined {
  const rules = { keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly };
  return Object.values(rules).some((points) => points !== undefined) ? rules : undefined;
}

/** Requires one of names, rules of the job and rules of ovault.yaml. @throws UsageError */
export function assertForgetSound(
  job: Rules & Pick<ForgetJob, "points" | "retention" | "policy" | "vms" | "timeZone">,
): void {
  const { points, retention, policy, vms, timeZone } = job;
  const byName = points.length > 0;
  const ways = [byName, rulesOf(job) !== undefined, retention, policy !== undefined].filter(Boolean).length;
  if (ways === 0) {
    throw new UsageError("nothing says which points to forget", {
      hint: (field) =>
        `Name points, give rules such as ${field("keepDaily", 7)}, or ${field("retention")} for those of ovault.yaml.`,
    });
  }
  if (ways > 1) {
    throw new UsageError(
      (field) =>
        `points are forgotten by name, by ${field("keep…")}, by ${field("retention")} or by ${field("policy")}: choose one`,
    );
  }
  if (byName && (vms.length > 0 || timeZone !== undefined)) {
    throw new UsageError(
      (field) => `${field("vms")} and ${field("timeZone")} are for rules, not for points that are named`,
    );
  }
}
