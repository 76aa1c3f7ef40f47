import { leavingNothing } from "./leaving-nothing.ts";
import { reading } from "./reading.ts";
import type { StrategyCheck } from "./strategy-under-test.ts";

/** The Strategy contract for backups. */
export const strategyChecks: readonly StrategyCheck[] = [...reading, ...leavingNothing];
