import { leavingNothing } from "./leaving-nothing.ts";
import { reading } from "./reading.ts";
import type { StrategyCheck } from "./strategy-under-test.ts";

/** What the Strategy contract says of backups. */
export const strategyChecks: readonly StrategyCheck[] = [...reading, ...leavingNothing];
