import { types } from "node:util";
import { createContext, Script } from "node:vm";

const INTERRUPTED = "ERR_SCRIPT_EXECUTION_TIMEOUT";

const script = new Script("work()");
/** Shared: it takes milliseconds to make. */
const sandbox: { work: () => void } = { work: () => undefined };
const context = createContext(sandbox);

/**
 * Runs `work` on this thread and interrupts it when it takes longer than `limitMs`, even inside a regular expression,
 * which nothing else could stop. Answers false when it was interrupted.
 */
export function withinDeadline(limitMs: number, work: () => void): boolean {
  sandbox.work = work;
  try {
    script.runInContext(context, { timeout: limitMs });
    return true;
  } catch (error) {
    // The error comes from another context, so `instanceof` does not match.
    if (types.isNativeError(error) && "code" in error && error.code === INTERRUPTED) return false;
    throw error;
  } finally {
    sandbox.work = () => undefined;
  }
}
