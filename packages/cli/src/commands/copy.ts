import { assertCopySound, Installation, planCopy, runCopy } from "@ovault/operations";

import { collect, examples, type Define } from "../command.ts";
import { exitCodeOfAll } from "../exit-code-of.ts";
import { copyView } from "./copy-view.ts";

interface CopyCommandOptions {
  readonly to: string;
  readonly from?: string;
  readonly vm?: readonly string[];
  readonly all?: boolean;
  readonly manager?: string;
  readonly newer?: boolean;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[point...]", "ids, unique beginnings of them, or VM@latest")
    .requiredOption("--to <destination>", "destination to copy to; it was set up already")
    .option("--from <destination>", "destination that holds the points")
    .option("--vm <vm>", "all points of this virtual machine: name or id; repeatable", collect)
    .option("--all", "all points")
    .option("--manager <name>", "only points of this manager's machines")
    .option("--newer", "of these only points that are newer than what the destination has of the machine")
    .option("--wait", "when another run holds a virtual machine at the destination, wait for it instead of refusing")
    .option("--dry-run", "show what would be copied and change nothing")
    .addHelpText(
      "after",
      examples(
        ["ovault copy web01@latest --to offsite", "one point"],
        ["ovault copy --all --newer --to offsite", "every night, after the backups"],
        ["ovault copy --vm web01 --vm db01 --to offsite --dry-run", "what would be read"],
      ),
    )
    .action((points: readonly string[], options: CopyCommandOptions) =>
      invoke(command, async (context) => {
        const { vm: vms = [], all = false, from, to, manager, newer = false, wait = false, dryRun = false } = options;
        const job = { kind: "copy", points, vms, all, from, to, manager, newer, wait } as const;
        assertCopySound(job);
        await using installation = await Installation.open(context);
        const results = await (dryRun ? planCopy : runCopy)(installation, job, context);
        return {
          data: results,
          view: copyView(results, dryRun),
          exitCode: exitCodeOfAll(results.map(({ error }) => error)),
        };
      }),
    );
};
