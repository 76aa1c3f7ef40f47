import type { RetentionRules } from "@ovault/core";
import {
  assertForgetSound,
  Installation,
  planForget,
  runForget,
  type ForgetJob,
  type ForgetSummary,
} from "@ovault/operations";
import { InvalidArgumentError } from "commander";

import { collect, examples, type Define } from "../command.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { forgetView } from "./forget-view.ts";

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
    .action((points: readonly string[], options: ForgetOptions) =>
      invoke(command, async (context) => {
        const job = jobFrom(points, options);
        assertForgetSound(job);
        await using installation = await Installation.open(context);
        const outcome = await (options.dryRun === true ? planForget : runForget)(installation, job, context);
        return { data: outcome, view: forgetView(outcome), exitCode: exitCodeOfForget(outcome) };
      }),
    );
};

function jobFrom(points: readonly string[], options: ForgetOptions): ForgetJob {
  const { keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly, retention = false, policy } = options;
  const { vm: vms = [], manager, timeZone, from } = options;
  const rules = { keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly };
  return { kind: "forget", points, ...rules, retention, policy, vms, manager, timeZone, from };
}

/** A machine that the rules had to skip is a failure, like a failed backup. */
function exitCodeOfForget({ inDoubt }: ForgetSummary): ExitCode {
  return inDoubt.length > 0 ? EXIT.partial : EXIT.ok;
}

function parseCount(written: string): number {
  const count = Number(written);
  if (/^\d+$/.test(written) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("It is a whole number from 1.");
}
