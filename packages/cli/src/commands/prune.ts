import { DEFAULT_REPACK, prune, type PruneProgress, type RepackLimits } from "@ovault/core";
import { Installation, parseDuration, parseSize, describeHolders } from "@ovault/operations";
import { InvalidArgumentError } from "commander";

import { examples, type CommandContext, type Define } from "../command.ts";
import type { Terminal } from "../output/terminal.ts";
import { describePruneProgress } from "../output/describe-prune-progress.ts";
import { type PruneOutcome, pruneView } from "./prune-view.ts";

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
/** Excludes all repacking: no pack is this cheap to copy. */
const NO_REPACK: RepackLimits = { minDeadShare: 1, budgetBytes: 0 };

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
        const outcome = await pruneDestination(context, options);
        return { data: outcome.report, view: pruneView(outcome) };
      }),
    );
};

/** Frees what no point needs any more; docs/operations.md says what is freed when. */
export async function pruneDestination(
  context: CommandContext,
  { grace, giveUpLost = false, wait = false, dryRun = false, from, ...limits }: PruneCommandOptions,
): Promise<PruneOutcome> {
  await using installation = await Installation.open(context);
  const repository = await installation.repository(from);
  const { signal, terminal } = context;
  const report = await prune(repository, {
    ...(grace !== undefined && { graceMs: grace }),
    repack: repackLimits(limits),
    giveUpLost,
    dryRun,
    ifBusy: wait ? "wait" : "refuse",
    onProgress: progressOn(terminal),
    onDoubt: (message) => terminal.note(message),
    signal,
  });
  return { report, holders: await describeHolders(repository, report.heldBy, signal) };
}

function repackLimits({ repack, repackBudget }: Pick<PruneCommandOptions, "repack" | "repackBudget">): RepackLimits {
  if (repack === NONE) return NO_REPACK;
  const { minDeadShare, budgetBytes } = DEFAULT_REPACK;
  return { minDeadShare: repack ?? minDeadShare, budgetBytes: repackBudget ?? budgetBytes };
}

/** Notes every step and its result. */
function progressOn(terminal: Terminal): (progress: PruneProgress) => void {
  let line = "";
  let noted = "";
  const show = terminal.showCount(() => line);
  return (progress) => {
    if (progress.step !== noted) terminal.note(`prune: ${progress.step}`);
    noted = progress.step;
    line = describePruneProgress(progress);
    show(0);
  };
}

/** `50%` → 0.5 */
function parseRepack(written: string): number | typeof NONE {
  if (written === NONE) return NONE;
  const share = Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(written)?.[1]) / 100;
  if (share > 0 && share <= 1) return share;
  throw new InvalidArgumentError("It is a percentage above 0%, at most 100%, or none.");
}
