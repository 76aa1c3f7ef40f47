import {
  copyPoints,
  type CopyResult,
  NotFoundError,
  type RecoveryPoint,
  type Repository,
  UsageError,
} from "@ovault/core";

import { collect, examples, type CommandContext, type Define } from "../command.ts";
import { exitCodeOf } from "../exit-code-of.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { Installation } from "../installation.ts";
import { formatBytes } from "../output/format.ts";
import { findPoint, pointsOf } from "../select/find-point.ts";
import { copyData, copyView } from "./copy-view.ts";

interface CopyCommandOptions {
  readonly to: string;
  readonly from?: string;
  readonly vm?: readonly string[];
  readonly all?: boolean;
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
    .option("--wait", "when another run holds a virtual machine at the destination, wait for it instead of refusing")
    .option("--dry-run", "show what would be copied and change nothing")
    .addHelpText(
      "after",
      examples(
        ["ovault copy web01@latest --to offsite", "one point"],
        ["ovault copy --vm web01 --vm db01 --to offsite", "all their points that are not there yet"],
        ["ovault copy --all --to offsite --dry-run", "what would be read"],
      ),
    )
    .action((names: readonly string[], options: CopyCommandOptions) =>
      invoke(command, async (context) => {
        const results = await copy(context, names, options);
        const dryRun = options.dryRun === true;
        return { data: copyData(results), view: copyView(results, dryRun), exitCode: exitCodeOfResults(results) };
      }),
    );
};

/** The oldest first. A point that fails does not stop the others. */
export async function copy(
  context: CommandContext,
  names: readonly string[],
  { to: toName, from: fromName, vm: vms = [], all = false, wait = false, dryRun = false }: CopyCommandOptions,
): Promise<readonly CopyResult[]> {
  assertOneWay(names, vms, all);
  await using installation = await Installation.open(context);
  const from = await installation.repository(fromName);
  const to = await installation.repository(toName);
  const { signal, terminal } = context;
  const points = await selectPoints(from, { names, vms, signal });
  if (points.length === 0) throw new NotFoundError("the source holds no recovery points");
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
    onProgress: (_, { doneBytes }) => showBytes(doneBytes),
    signal,
  });
}

function assertOneWay(names: readonly string[], vms: readonly string[], all: boolean): void {
  const ways = [names.length > 0, vms.length > 0, all].filter(Boolean).length;
  if (ways === 1) return;
  throw new UsageError("say which points to copy", { hint: "Name points, or give --vm VM, or --all: one of them." });
}

async function selectPoints(
  repository: Repository,
  {
    names,
    vms,
    signal,
  }: { readonly names: readonly string[]; readonly vms: readonly string[]; readonly signal: AbortSignal },
): Promise<readonly RecoveryPoint[]> {
  const chosen = new Map<string, RecoveryPoint>();
  for (const name of names) {
    const point = await findPoint(repository, name, signal);
    chosen.set(point.id, point);
  }
  if (names.length > 0) return [...chosen.values()];
  const { points } = await repository.points.list(signal);
  return vms.length === 0 ? points : [...new Set(vms.flatMap((vm) => pointsOf(points, vm)))];
}

function exitCodeOfResults(results: readonly CopyResult[]): ExitCode {
  const failed = results.filter(({ outcome }) => outcome === "failed");
  if (failed.length === 0) return EXIT.ok;
  return failed.length < results.length ? EXIT.partial : exitCodeOf(failed[0]?.error);
}
