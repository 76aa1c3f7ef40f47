import { UsageError } from "@ovault/contract";
import type { RetentionRules } from "@ovault/core";
import { Installation, configuredRules, policyRules, planByName, planByRules, rulesForAll } from "@ovault/operations";
import { InvalidArgumentError } from "commander";

import { collect, examples, type CommandContext, type Define } from "../command.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { forgetData, forgetView, type ForgetOutcome } from "./forget-view.ts";

interface ForgetOptions extends RetentionRules {
  readonly vm?: readonly string[];
  readonly manager?: string;
  readonly retention?: boolean;
  readonly policy?: string;
  readonly timeZone?: string;
  readonly dryRun?: boolean;
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[point...]", "ids, unique beginnings of them, or VM@latest; without any, rules say what goes")
    .option("--keep-last <n>", "keep the newest n points of each virtual machine", parseCount)
    .option("--keep-daily <n>", "keep the newest point of each of the newest n days that have one", parseCount)
    .option("--keep-weekly <n>", "the same for weeks", parseCount)
    .option("--keep-monthly <n>", "the same for months", parseCount)
    .option("--keep-yearly <n>", "the same for years", parseCount)
    .option("--retention", "by `retention` in ovault.yaml: of the policies for their machines, else of the destination")
    .option("--policy <name>", "the same, only for the machines of this policy, at its destination")
    .option("--vm <vm>", "by rules only points of this virtual machine: name or id; repeatable", collect)
    .option("--manager <name>", "only points of this manager's machines")
    .option("--time-zone <zone>", "where days begin, like Europe/Berlin (default: of this machine)")
    .option("--dry-run", "show what would go and what stays, and change nothing")
    .option("--from <destination>", "destination to look in")
    .addHelpText(
      "after",
      examples(
        ["ovault forget 0192f3", "one point; others are not affected"],
        ["ovault forget --keep-daily 7 --keep-weekly 4 --dry-run", "what these rules would do"],
        ["ovault forget --retention --vm web01", "by the rules in ovault.yaml"],
        ["ovault forget --policy nightly --dry-run", "what the rules of a policy would do"],
      ),
    )
    .action((names: readonly string[], options: ForgetOptions) =>
      invoke(command, async (context) => {
        const outcome = await forget(context, names, options);
        return { data: forgetData(outcome), view: forgetView(outcome), exitCode: exitCodeOfForget(outcome) };
      }),
    );
};

/**
 * Removes the named points or, without names, those that no rule keeps. Their blocks stay in the repository until it is
 * pruned.
 */
export async function forget(
  context: CommandContext,
  names: readonly string[],
  options: ForgetOptions,
): Promise<ForgetOutcome> {
  const rules = rulesOf(options);
  assertOneWay(names, options, rules);
  await using installation = await Installation.open(context);
  const { configuration } = installation;
  const source = options.policy === undefined ? undefined : policyRules(configuration, options.policy, options.from);
  const repository = await installation.repository(source?.destination ?? options.from);
  const { signal } = context;
  const { vm: vms = [], manager, timeZone, dryRun = false } = options;
  const plan =
    names.length > 0
      ? await planByName(repository, names, { manager }, context)
      : await planByRules(repository, {
          rules:
            source?.rules ?? (rules === undefined ? configuredRules(configuration, options.from) : rulesForAll(rules)),
          vms,
          manager,
          timeZone,
          signal,
        });
  if (!dryRun) for (const point of plan.forget) await repository.points.forget(point, signal);
  return { ...plan, dryRun };
}

function rulesOf({
  keepLast,
  keepDaily,
  keepWeekly,
  keepMonthly,
  keepYearly,
}: ForgetOptions): RetentionRules | undefined {
  const rules = { keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly };
  return Object.values(rules).some((count) => count !== undefined) ? rules : undefined;
}

/** Requires one of names, rules of the command line and rules of ovault.yaml. */
function assertOneWay(
  names: readonly string[],
  { retention, policy, vm, timeZone }: ForgetOptions,
  rules: RetentionRules | undefined,
): void {
  const byName = names.length > 0;
  const ways = [byName, rules !== undefined, retention === true, policy !== undefined].filter(Boolean).length;
  if (ways === 0) {
    throw new UsageError("nothing says which points to forget", {
      hint: "Name points, give rules such as --keep-daily 7, or --retention for those of ovault.yaml.",
    });
  }
  if (ways > 1) {
    throw new UsageError("points are forgotten by name, by --keep-…, by --retention or by --policy: choose one");
  }
  if (byName && (vm !== undefined || timeZone !== undefined)) {
    throw new UsageError("--vm and --time-zone are for rules, not for points that are named");
  }
}

/** A machine that the rules had to skip is a failure, like a failed backup. */
function exitCodeOfForget({ inDoubt }: ForgetOutcome): ExitCode {
  return inDoubt.length > 0 ? EXIT.partial : EXIT.ok;
}

function parseCount(written: string): number {
  const count = Number(written);
  if (/^\d+$/.test(written) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("It is a whole number from 1.");
}
