import { UsageError } from "@ovault/contract";
import { Installation, planRestore, runRestore, type RestoredDisk, type RestoredVm } from "@ovault/operations";
import { Option } from "commander";

import { collect, examples, type CommandContext, type Define, type Outcome } from "../command.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { reportOnInterruption } from "../report-on-interruption.ts";
import { restoreToFile } from "./restore-to-file.ts";
import { restoredDiskView, restoredVmView, restorePlanView } from "./restore-view.ts";

/** Some apply to machines, some to files; `--mac` and `--strategy` have a default. */
interface RestoreOptions {
  readonly as?: string;
  readonly manager?: string;
  readonly strategy: string;
  readonly cluster?: string;
  readonly storageDomain?: string;
  readonly network?: readonly string[];
  readonly mac: "keep" | "new";
  readonly start?: boolean;
  readonly import?: boolean;
  readonly disk?: string;
  readonly toFile?: string;
  readonly format?: RestoredDisk["format"];
  readonly from?: string;
  readonly salvage?: boolean;
  readonly dryRun?: boolean;
}

export const define: Define = (command, invoke) => {
  command
    .argument("<point>", "id, a unique beginning of it, or VM@latest")
    .option("--as <name>", "restore as a new virtual machine of this name")
    .option(
      "--manager <name>",
      "manager to restore to (default: the one the point is from); where VM means several machines, its own",
    )
    .option("--strategy <name>", "how the data enters the hypervisor", "auto")
    .option("--cluster <name>", "cluster of the new machine (default: the one in the point)")
    .option("--storage-domain <name>", "storage domain of its disks (default: the one in the point)")
    .option("--network <from=to>", "replace a network; repeatable", collect)
    .addOption(
      new Option("--mac <policy>", "keep the MAC addresses, or take new ones").choices(["keep", "new"]).default("new"),
    )
    .option("--start", "start the new machine")
    .option("--import", "with --strategy export-domain: import the new machine, instead of leaving it there")
    .option("--disk <disk>", "restore this disk only: id, alias or index")
    .option(
      "--to-file <path>",
      "write the disk to a file, or raw to stdout (-); needs the destination alone, no engine",
    )
    .addOption(
      new Option("--format <format>", "of the file (default: qcow2 for *.qcow2, else raw)").choices(["raw", "qcow2"]),
    )
    .option("--from <destination>", "destination that holds the point")
    .option("--salvage", "restore what can be read of a damaged point: what is lost becomes zeros, and is listed")
    .option("--dry-run", "show what would be done and change nothing")
    .addHelpText(
      "after",
      examples(
        ["ovault restore web01@latest --as web01-restored --start", "a new machine beside the old one"],
        ["ovault restore 0192f3 --as web01 --network prod=test", "into another network"],
        ["ovault restore web01@latest --disk 0 --to-file web01.qcow2 --format qcow2", "without any engine"],
        ["ovault restore web01@latest --disk 0 --to-file - | zstd > web01.raw.zst", "through a pipe"],
        ["ovault restore 0192f3 --as web01-saved --salvage", "what is left of a damaged point"],
      ),
    )
    .action((point: string, options: RestoreOptions) =>
      invoke(command, async (context) => {
        const { as, disk, toFile, format, manager, salvage = false, from } = options;
        if (as !== undefined) {
          if (disk !== undefined || toFile !== undefined) throw conflict();
          return await restoreToManager(context, point, { ...options, as });
        }
        if (disk === undefined || toFile === undefined) throw conflict();
        if (options.dryRun === true) throw new UsageError("--dry-run is for restores to a manager");
        const job = { kind: "restore-disk", point, disk, toFile, format, manager, salvage, from } as const;
        const restored = await restoreToFile(context, job);
        return { data: restored, view: restoredDiskView(restored), exitCode: exitCodeOfRestore(restored) };
      }),
    );
};

async function restoreToManager(
  context: CommandContext,
  point: string,
  options: RestoreOptions & { readonly as: string },
): Promise<Outcome> {
  const { as, manager, strategy, cluster, storageDomain, mac } = options;
  const { start = false, import: imports = false, salvage = false, from } = options;
  const networks = parseNetworks(options.network ?? []);
  const where = { as, manager, strategy, cluster, storageDomain, networks, mac };
  const job = { kind: "restore", point, ...where, start, import: imports, salvage, from } as const;
  await using installation = await Installation.open(context);
  if (options.dryRun === true) {
    const plan = await planRestore(installation, job, context);
    return { data: plan, view: restorePlanView(plan) };
  }
  reportOnInterruption(installation, context);
  const restored = await runRestore(installation, job, context);
  return { data: restored, view: restoredVmView(restored), exitCode: exitCodeOfRestore(restored) };
}

function parseNetworks(written: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    written.map((pair) => {
      const [, before, after] = /^([^=]+)=([^=]+)$/.exec(pair) ?? [];
      if (before !== undefined && after !== undefined) return [before, after];
      throw new UsageError(`--network ${pair} is not FROM=TO`, { hint: "For example: --network prod=test" });
    }),
  );
}

/** An incomplete restore counts as damage, as in verify. */
function exitCodeOfRestore({ lost }: RestoredVm | RestoredDisk): ExitCode {
  return lost.length > 0 ? EXIT.integrity : EXIT.ok;
}

function conflict(): UsageError {
  return new UsageError("say what to restore: a machine or one disk", {
    hint: "Either --as NAME, or --disk DISK together with --to-file PATH.",
  });
}
