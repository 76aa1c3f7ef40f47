import { Installation, parseDuration, parseSize, planPrune, runPrune } from "@ovault/operations";
import { InvalidArgumentError } from "commander";

import { examples, type Define } from "../command.ts";
import { pruneView } from "./prune-view.ts";

interface PruneCommandOptions {
  /** Milliseconds. */
  readonly grace?: number;
  /** Above 0, at most 1. */
  readonly repack?: number | typeof NONE;
  /** Bytes. */
  readonly repackBudget?: number;
  readonly giveUpLost?: boolean;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
  readonly from?: string;
}

const NONE = "none";
export const define: Define = (command, invoke) => {
  command
    .option(
      "--grace <duration>",
      "how long what is condemned stays at least, like 90m, 36h, 7d (default: 24h)",
      parseDuration,
    )
    .option(
      "--repack <share>",
      "empty packs with at least this share of dead data, or none (default: 50%)",
      parseRepack,
    )
    .option("--repack-budget <size>", "copy no more than this at once (default: 2G)", parseSize)
    .option("--give-up-lost", "free what only lost pages of block maps may lead to; should they come back, it is gone")
    .option("--wait", "when a repair or another prune is at work, wait for it instead of refusing")
    .option("--dry-run", "show what would be done and change nothing")
    .option("--from <destination>", "destination to prune")
    .addHelpText(
      "after",
      examples(
        ["ovault prune", "every day, after `ovault forget`"],
        ["ovault prune --dry-run", "what would be freed now, and what later"],
        ["ovault prune --repack 20% --repack-budget 50G", "give more room back, at the price of copying"],
      ),
    )
    .action((options: PruneCommandOptions) =>
      invoke(command, async (context) => {
        const { grace: graceMs, repack, repackBudget: repackBudgetBytes, from } = options;
        const { giveUpLost = false, wait = false, dryRun = false } = options;
        const job = { kind: "prune", graceMs, repack, repackBudgetBytes, giveUpLost, wait, from } as const;
        await using installation = await Installation.open(context);
        const outcome = await (dryRun ? planPrune : runPrune)(installation, job, context);
        return { data: outcome.report, view: pruneView(outcome) };
      }),
    );
};

/** `50%` → 0.5 */
function parseRepack(written: string): number | typeof NONE {
  if (written === NONE) return NONE;
  const share = Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(written)?.[1]) / 100;
  if (share > 0 && share <= 1) return share;
  throw new InvalidArgumentError("It is a percentage above 0%, at most 100%, or none.");
}
