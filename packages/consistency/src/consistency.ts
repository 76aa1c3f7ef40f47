import { type Clock, type Manager, type Quiesce, type RunHooks, systemClock } from "@ovault/contract";
import type { Ledger } from "@ovault/core";

import { ConsistencyRun } from "./consistency-run.ts";
import type { CommandHost } from "./run-command.ts";
import type { ConsistencyOptions } from "./schema.ts";

export interface ConsistencyHost extends CommandHost {
  readonly manager: Manager;
  /** Holds an entry for each frozen guest until it is thawed. */
  readonly ledger: Ledger;
  readonly clock?: Clock;
}

/** What to pass to a backup. */
export interface RunConsistency {
  /** The strategy's value. */
  readonly quiesce: Quiesce;
  /** May tap any number of runs; each gets its own state. */
  readonly tap: (hooks: RunHooks) => void;
}

/** How to quiesce guests, and the commands to run before and after, as the options say. */
export function consistencyOf(options: ConsistencyOptions, host: ConsistencyHost): RunConsistency {
  const { manager, ledger, clock = systemClock, ...commandHost } = host;
  return {
    // A frozen guest cannot be frozen again, and the attempt would look like a failure.
    quiesce: options.freeze === "explicit" ? "never" : options.quiesce,
    tap: (hooks) => new ConsistencyRun({ options, manager, ledger, host: commandHost, clock, hooks }).tap(),
  };
}
