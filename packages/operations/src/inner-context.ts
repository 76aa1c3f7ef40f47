import type { JobOutput } from "./events/job-output.ts";
import type { JobContext } from "./job-context.ts";

/** The inputs of a job as its own code sees them: see `inJob`. */
export interface InnerContext extends Omit<JobContext, "emit"> {
  readonly reporter: JobOutput;
}
