import { types } from "node:util";
import { createContext, Script } from "node:vm";

const INTERRUPTED = "ERR_SCRIPT_EXECUTION_TIMEOUT";

const script = new Script("work()");
/** Costs milliseconds to make, so there is one. */
const sandbox: { work: () => void } = { work: () => undefined };
const context = createContext(sandbox);

/**
 * Runs `work` on this thread and interrupts it when it takes longer than `limitMs`: also inside of a regular expression,
 * which nothing else could stop. Answers with false when it was interrupted.
 */
export function withinDeadline(limitMs: number, work: () => void): boolean {
  sandbox.work = work;
  try {
    script.runInContext(context, { timeout: limitMs });
    return true;
  } catch (error) {
    // It is an error of the other context, no instance of this one's class.
    if (types.isNativeError(error) && "code" in error && error.code === INTERRUPTED) return false;
    throw error;
  } finally {
    sandbox.work = () => undefined;
  }
}
