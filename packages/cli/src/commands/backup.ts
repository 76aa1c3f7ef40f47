import type { Quiesce } from "@ovault/contract";
import { assertBackupSound, Installation, planBackups, runBackup } from "@ovault/operations";
import { Option } from "commander";

import { collect, examples, type Define } from "../command.ts";
import { exitCodeOfAll } from "../exit-code-of.ts";
import { reportOnInterruption } from "../report-on-interruption.ts";
import { plansView, resultsView } from "./backup-view.ts";

interface BackupCommandOptions {
  readonly policy?: string;
  readonly strategy?: string;
  readonly quiesce?: Quiesce;
  readonly keepBase?: boolean;
  readonly full?: boolean;
  readonly excludeDisk?: readonly string[];
  readonly to?: string;
  readonly manager?: string;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[vm...]", "names or ids of virtual machines, or selectors: web*, /REGEX/, tag:GLOB, cluster:GLOB")
    .option("--policy <name>", "all virtual machines of this policy, as it says")
    .option("--strategy <name>", "how the data leaves the hypervisor (default: that of the policy, or auto)")
    .addOption(
      new Option(
        "--quiesce <how>",
        "file systems frozen at the instant: no point without, where possible, or not asked for (default: as the policy says, or try)",
      ).choices(["require", "try", "never"]),
    )
    .option("--keep-base", "keep the snapshot that an increment starts from, though no policy schedules one")
    .option("--full", "trust no change tracking; a new chain starts here")
    .option("--exclude-disk <disk>", "leave a disk out: id, alias or index; repeatable", collect)
    .option("--to <destination>", "destination to store to")
    .option("--manager <name>", "manager the virtual machines belong to")
    .option("--wait", "when another run holds the virtual machine, wait for it instead of refusing")
    .option("--dry-run", "show what would be done and change nothing")
    .addHelpText(
      "after",
      examples(
        ["ovault backup web01", "incremental where possible, else full"],
        ["ovault backup web01 db01 --full", "both from scratch"],
        ["ovault backup 'web*' tag:backup", "all that are named so, or carry this tag"],
        ["ovault backup --policy nightly", "what the policy selects, within its limits"],
        ["ovault backup db01 --exclude-disk scratch", "without the disk of that alias"],
      ),
    )
    .action((vms: readonly string[], options: BackupCommandOptions) =>
      invoke(command, async (context) => {
        const { excludeDisk: excludeDisks = [], keepBase = false, full = false, wait = false, ...named } = options;
        const { policy, strategy, quiesce, to, manager } = named;
        const places = { policy, manager, to, strategy, quiesce };
        const job = { kind: "backup", vms, ...places, excludeDisks, keepBase, full, wait } as const;
        assertBackupSound(job);
        await using installation = await Installation.open(context);
        if (options.dryRun === true) {
          const plans = await planBackups(installation, job, context);
          return { data: plans, view: plansView(plans), exitCode: exitCodeOfAll(plans.map(({ error }) => error)) };
        }
        reportOnInterruption(installation, context);
        const results = await runBackup(installation, job, context);
        return {
          data: results,
          view: resultsView(results),
          exitCode: exitCodeOfAll(results.map(({ error }) => error)),
        };
      }),
    );
};
