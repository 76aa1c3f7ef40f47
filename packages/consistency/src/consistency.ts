import { type Clock, type Manager, type Quiesce, type RunHooks, systemClock } from "@ovault/contract";
import type { Ledger } from "@ovault/core";

import { ConsistencyRun } from "./consistency-run.ts";
import type { CommandHost } from "./run-command.ts";
import type { ConsistencyOptions } from "./schema.ts";

export interface ConsistencyHost extends CommandHost {
  readonly manager: Manager;
  /** What is frozen stands there until it is thawed. */
  readonly ledger: Ledger;
  readonly clock?: Clock;
}

/** What a backup has to be given. */
export interface RunConsistency {
  /** For the strategy. */
  readonly quiesce: Quiesce;
  /** For the hooks of any number of runs; each has a state of its own. */
  readonly tap: (hooks: RunHooks) => void;
}

/** How guests are brought to rest, and what is run before and after, as the options say. */
export function consistencyOf(options: ConsistencyOptions, host: ConsistencyHost): RunConsistency {
  const { manager, ledger, clock = systemClock, ...commandHost } = host;
  return {
    // A guest that is frozen already cannot be frozen again, and that would look like a failure.
    quiesce: options.freeze === "explicit" ? "never" : options.quiesce,
    tap: (hooks) => new ConsistencyRun({ options, manager, ledger, host: commandHost, clock, hooks }).tap(),
  };
}
