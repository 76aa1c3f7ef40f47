import { plural, UsageError } from "@ovault/contract";
import { copyPoints, type CopyResult } from "@ovault/core";
import { Installation, errorSummary, formatBytes, selectToCopy } from "@ovault/operations";

import { collect, examples, type CommandContext, type Define } from "../command.ts";
import { exitCodeOfAll } from "../exit-code-of.ts";
import { copyData, copyView } from "./copy-view.ts";

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
    .requiredOption("--to <destination>", "destination to copy to; it holds a repository already")
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
    .action((names: readonly string[], options: CopyCommandOptions) =>
      invoke(command, async (context) => {
        const results = await copy(context, names, options);
        const dryRun = options.dryRun === true;
        return {
          data: copyData(results),
          view: copyView(results, dryRun),
          exitCode: exitCodeOfAll(results.map(({ error }) => (error === undefined ? null : errorSummary(error)))),
        };
      }),
    );
};

/** Copies the oldest point first. A point that fails does not stop the others. */
export async function copy(
  context: CommandContext,
  names: readonly string[],
  options: CopyCommandOptions,
): Promise<readonly CopyResult[]> {
  const { to: toName, from: fromName, vm: vms = [], manager, newer = false, wait = false, dryRun = false } = options;
  assertOneWay(names, options);
  await using installation = await Installation.open(context);
  const from = await installation.repository(fromName);
  const to = await installation.repository(toName);
  const { signal, terminal } = context;
  const { points, forgotten } = await selectToCopy({ from, to }, { names, vms, manager, newer }, context);
  if (forgotten > 0) terminal.note(`${plural(forgotten, "point")} left out: forgotten at the destination`);
  let current = "";
  const showBytes = terminal.showCount((bytes) => `${current}: ${formatBytes(bytes)} done`);
  return await copyPoints({
    from,
    to,
    points,
    dryRun,
    ifBusy: wait ? "wait" : "refuse",
    onStart: ({ id, vm }) => {
      current = `${vm.name}: ${id}`;
    },
    onDoubt: (message) => terminal.note(message),
    onProgress: (_, { doneBytes }) => showBytes(doneBytes),
    signal,
  });
}

function assertOneWay(names: readonly string[], { vm = [], all = false, newer = false }: CopyCommandOptions): void {
  const ways = [names.length > 0, vm.length > 0, all].filter(Boolean).length;
  if (ways !== 1) {
    throw new UsageError("say which points to copy", { hint: "Name points, or give --vm VM, or --all: one of them." });
  }
  if (newer && names.length > 0) throw new UsageError("--newer is for --vm and --all, not for points that are named");
}
