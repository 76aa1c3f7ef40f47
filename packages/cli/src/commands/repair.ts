import type { RepairReport } from "@ovault/core";
import { Installation, planRepair, runRepair } from "@ovault/operations";

import { examples, type Define } from "../command.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { repairView } from "./repair-view.ts";

interface RepairCommandOptions {
  readonly readData?: boolean;
  readonly removeDamagedManifests?: boolean;
  readonly freeDamagedLeases?: boolean;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .option("--read-data", "read every pack first, to find undiscovered damage")
    .option("--remove-damaged-manifests", "delete manifests that cannot be read; their points are lost for good")
    .option("--free-damaged-leases", "give back leases that cannot be read; only when no run is at work on any node")
    .option("--wait", "when a prune or another repair is at work, wait for it instead of refusing")
    .option("--dry-run", "show what would be done and change nothing")
    .option("--from <destination>", "destination to repair")
    .addHelpText(
      "after",
      examples(
        ["ovault repair --dry-run", "what is wrong, and what would be done about it"],
        ["ovault repair --read-data", "after a disk or a server has failed"],
      ),
    )
    .action((options: RepairCommandOptions) =>
      invoke(command, async (context) => {
        const { readData = false, removeDamagedManifests = false, freeDamagedLeases = false, from } = options;
        const { wait = false, dryRun = false } = options;
        const job = { kind: "repair", readData, removeDamagedManifests, freeDamagedLeases, wait, from } as const;
        await using installation = await Installation.open(context);
        const report = await (dryRun ? planRepair : runRepair)(installation, job, context);
        return { data: report, view: repairView(report), exitCode: exitCodeOfReport(report) };
      }),
    );
};

/** Permanent loss is damage; repaired parts are not. */
function exitCodeOfReport({ lost, manifests, leases }: RepairReport): ExitCode {
  const left = [...manifests, ...leases].some(({ removed }) => !removed);
  return lost.length > 0 || left ? EXIT.integrity : EXIT.ok;
}
