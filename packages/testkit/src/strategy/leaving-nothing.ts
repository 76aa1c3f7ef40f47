import { CancelledError, LedgerError } from "@ovault/contract";

import { assertRejects, assertSame, outcomeOf } from "../assertions.ts";
import type { StrategyCheck, StrategyUnderTest } from "./strategy-under-test.ts";
import { type HeldRun, type RunWishes, takeBackup, withRun } from "./take-backup.ts";
import { tally } from "../tally.ts";

/** Checks that a strategy leaves nothing on the manager but parts of points, whatever happens. */
export const leavingNothing: readonly StrategyCheck[] = [
  {
    name: "runs of one chain do not pile up on the manager",
    async run(bench, signal) {
      const first = await takeBackup(bench, { signal });
      const after = (await bench.leftovers()).length;
      let base = first;
      for (let run = 0; run < 2; run += 1) base = await takeBackup(bench, { base, signal });
      assertSame((await bench.leftovers()).length, after, "things on the manager after two more runs");
      assertSame(await bench.ledger.abandoned(), [], "the ledger");
    },
  },
  {
    name: "an instant can be closed in every state, and a failed one leaves nothing",
    async run(bench, signal) {
      const base = await takeBackup(bench, { signal });
      for (const state of ["held", "open", "extents listed", "read", "complete"] as const) {
        await assertLeavesNothing(bench, `an instant closed as failed (${state})`, () =>
          withRun(bench, { base, signal }, async ({ instant }) => {
            const [source] = state === "held" ? [] : await instant.open(signal);
            if (state === "extents listed") for await (const _ of source?.extents(signal) ?? []) break;
            if (state === "read") await source?.readInto(0, Buffer.alloc(4096), signal);
            if (state === "complete") await instant.close("complete");
            await instant.close("failed");
          }),
        );
      }
      const next = await takeBackup(bench, { base, signal });
      assertSame(next.point.disks.length, base.point.disks.length, "disks of the next run");
    },
  },
  {
    name: "a run that is aborted at any step leaves nothing",
    async run(bench, signal) {
      await forEachStep(bench, signal, async (step) => {
        const controller = new AbortController();
        const watch = (call: number, when: string): void => {
          if (call === step && when === "after") controller.abort(new CancelledError(`enough at step ${step}`));
        };
        const aborting = AbortSignal.any([signal, controller.signal]);
        await assertLeavesNothing(bench, `a run aborted at step ${step}`, async () => {
          // The abort may have come after the opening.
          await outcomeOf(() => openAndFail(bench, { signal: aborting, watch }));
          signal.throwIfAborted();
        });
      });
    },
  },
  {
    name: "a run aborted before it begins makes nothing",
    async run(bench, signal) {
      await assertLeavesNothing(bench, "a run aborted before it began", async () => {
        const vm = await bench.vm();
        const aborted = AbortSignal.abort(new CancelledError("enough"));
        const take = () => withRun({ ...bench, vm: async () => vm }, { signal: aborted }, failInstant);
        await assertRejects(take, Error, "takeInstant");
      });
      signal.throwIfAborted();
    },
  },
  {
    name: "whatever a run makes is in the ledger: a ledger that fails at any step leaves nothing that cannot be removed",
    async run(bench, signal) {
      await forEachStep(bench, signal, async (step) => {
        for (const when of ["before", "after"] as const) {
          const watch = (call: number, now: string): void => {
            if (call !== step || now !== when) return;
            tally("faults");
            throw new LedgerError(`planned fault ${when} step ${step}`);
          };
          await assertLeavesNothing(bench, `a run whose ledger failed ${when} step ${step}`, async () => {
            await outcomeOf(() => openAndFail(bench, { signal, watch }));
            await removeLeftovers(bench, signal);
          });
        }
      });
    },
  },
];

/** Opens all disks and closes the instant as failed, also if opening fails. */
async function openAndFail(bench: StrategyUnderTest, wishes: RunWishes): Promise<number> {
  return await withRun(bench, wishes, async ({ instant, calls }) => {
    try {
      await instant.open(wishes.signal);
    } finally {
      await instant.close("failed");
    }
    return calls();
  });
}

async function failInstant({ instant }: HeldRun): Promise<void> {
  await instant.close("failed");
}

/** Each ledger call of a failing run is a step. */
async function forEachStep(
  bench: StrategyUnderTest,
  signal: AbortSignal,
  work: (step: number) => Promise<void>,
): Promise<void> {
  const steps = await openAndFail(bench, { signal });
  for (let step = 1; step <= steps; step += 1) {
    signal.throwIfAborted();
    await work(step);
  }
}

async function assertLeavesNothing(bench: StrategyUnderTest, what: string, run: () => Promise<unknown>): Promise<void> {
  const before = (await bench.leftovers()).toSorted();
  await run();
  assertSame((await bench.leftovers()).toSorted(), before, `what ${what} left on the manager`);
  assertSame(await bench.ledger.abandoned(), [], `what ${what} left in the ledger`);
}

/** As `ovault doctor --fix`. */
async function removeLeftovers({ strategy, ledger }: StrategyUnderTest, signal: AbortSignal): Promise<void> {
  for (const leftover of await strategy.leftovers(await ledger.abandoned(), signal)) {
    if (!leftover.gone) await leftover.remove(signal);
    await ledger.resolve(leftover.entry);
  }
}
