import type { InnerContext } from "../inner-context.ts";
import type { JobKind, RunResults, RunSubject } from "./run-event.ts";
import { RunReport } from "./run-report.ts";

/** Reports `work` as one run, from `started` to `finished` or `failed`. */
export async function asRun<K extends JobKind>(
  subject: Omit<RunSubject<K>, "runs">,
  context: InnerContext,
  work: (run: RunReport<K>) => Promise<RunResults[K]>,
): Promise<RunResults[K]> {
  const run = new RunReport({ ...subject, runs: 1 }, context);
  run.start();
  try {
    const result = await work(run);
    run.finish(result);
    return result;
  } catch (error) {
    run.fail(error);
    throw error;
  }
}
