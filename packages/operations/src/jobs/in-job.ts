import { JobOutput } from "../events/job-output.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { jobFailure } from "../text/job-failure.ts";

/** Does the work of a job for its caller. All that the job says goes through one output. */
export async function inJob<T>(context: JobContext, work: (context: InnerContext) => Promise<T>): Promise<T> {
  try {
    return await work({ ...context, reporter: new JobOutput(context) });
  } catch (error) {
    throw jobFailure(error, context.signal);
  }
}
