import { z } from "zod";

import { OvaultError, messageOf } from "@ovault/contract";
import { parseMachineSelector } from "../policies/parse-machine-selector.ts";
import { cronProblem } from "../policies/next-runs.ts";
import { BACKUP_TYPES } from "../policies/policy.ts";
import { calendarIn } from "../retention/calendar.ts";
import { DEFAULT_RUN_LIMITS } from "../policies/run-limits.ts";
import { count } from "./count.ts";
import { retentionSchema } from "./retention-schema.ts";

/** Text for which `isGood` does not throw; the message of its error is the problem reported. */
function textThat(isGood: (text: string) => unknown): z.ZodType<string> {
  return z.string().superRefine((text, context) => {
    try {
      isGood(text);
    } catch (error) {
      const hint = error instanceof OvaultError && error.hint !== undefined ? `: ${error.hint}` : "";
      context.addIssue(`${messageOf(error)}${hint}`);
    }
  });
}

const selector = textThat(parseMachineSelector);
const timeZone = textThat(calendarIn);
const cron = z.string().superRefine((text, context) => {
  const problem = cronProblem(text);
  if (problem !== undefined) context.addIssue(problem);
});

const limits = z.strictObject({
  total: count.default(DEFAULT_RUN_LIMITS.total),
  perManager: count.default(DEFAULT_RUN_LIMITS.perManager),
  perHost: count.default(DEFAULT_RUN_LIMITS.perHost),
  perStorageDomain: count.default(DEFAULT_RUN_LIMITS.perStorageDomain),
  finalizing: z.int().min(0, "must be at least 0").default(DEFAULT_RUN_LIMITS.finalizing),
});

/** One entry under `policies:`. */
export const policySchema = z.strictObject({
  manager: z.string().optional(),
  vms: z.strictObject({
    include: z.array(selector).min(1, "needs at least one selector"),
    exclude: z.array(selector).default([]),
  }),
  excludeDisks: z.array(z.string().min(1)).default([]),
  strategy: z.string().min(1).default("auto"),
  // The component that freezes guests validates it.
  consistency: z.looseObject({}).default({}),
  destination: z.string().optional(),
  schedule: z.array(z.strictObject({ cron, type: z.enum(BACKUP_TYPES) })).default([]),
  timeZone: timeZone.optional(),
  retention: retentionSchema.optional(),
  limits: limits.default(DEFAULT_RUN_LIMITS),
});
