import { messageOf, OvaultError } from "@ovault/contract";
import { z } from "zod";

/** The fields of jobs, named like the options in docs/cli.md, in camel case. */
export const name = z.string().min(1);
export const names = z.array(name).readonly().default([]);
export const flag = z.boolean().default(false);

/** For `superRefine`: reports as an issue what `assertSound` throws about a job as a whole; its `params` have the hint. */
export function soundBy<T>(assertSound: (job: T) => void): (job: T, context: z.RefinementCtx) => void {
  return (job, context) => {
    try {
      assertSound(job);
    } catch (error) {
      const params = { hint: error instanceof OvaultError ? error.hint : undefined };
      context.addIssue({ code: "custom", message: messageOf(error), params });
    }
  };
}
