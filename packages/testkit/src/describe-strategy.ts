import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { FileLedger } from "@ovault/core";

import { describeChecks } from "./describe-checks.ts";
import { strategyChecks } from "./strategy/strategy-checks.ts";
import type { StrategyBench } from "./strategy/strategy-under-test.ts";

export interface OpenedStrategy extends StrategyBench {
  dispose(): Promise<void>;
}

export interface StrategySuite {
  /** Called once for each test. Tests may share a manager: they compare its state with that before the test. */
  open(): Promise<OpenedStrategy>;
  /** Number of randomized iterations. Default: 10. */
  readonly runs?: number;
  /** Limit of one test. Default: 3 minutes. */
  readonly timeoutMs?: number;
}

/** What every strategy must do when it backs up, as vitest tests. Call it at the top of a test file. */
export function describeStrategy(name: string, suite: StrategySuite): void {
  const { runs = 10, timeoutMs = 180_000 } = suite;
  describeChecks(`${name} keeps the strategy contract`, strategyChecks, {
    timeoutMs,
    async open() {
      const bench = await suite.open();
      const directory = await mkdtemp(join(tmpdir(), "ovault-strategy-"));
      const ledger = await FileLedger.open(directory);
      const dispose = async (): Promise<void> => {
        await bench.dispose();
        await rm(directory, { recursive: true });
      };
      return { subject: { ...delegate(bench), ledger, runs }, dispose };
    },
  });
}

/** The bench may be an instance of a class, whose methods a spread would lose. */
function delegate(bench: StrategyBench): StrategyBench {
  return {
    strategy: bench.strategy,
    vm: () => bench.vm(),
    view: (diskId) => bench.view(diskId),
    write: (diskId, fill) => bench.write(diskId, fill),
    leftovers: () => bench.leftovers(),
  };
}
