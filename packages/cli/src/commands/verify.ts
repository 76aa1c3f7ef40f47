import { plural, UsageError } from "@ovault/contract";
import { verifyPoints, type VerifyProgress, type VerifyReport, verifyRepository, verifySample } from "@ovault/core";
import { Installation, formatBytes, findPoint } from "@ovault/operations";
import { InvalidArgumentError } from "commander";

import { examples, type CommandContext, type Define } from "../command.ts";
import { EXIT } from "../exit.ts";
import { table, text, type View } from "../output/view.ts";

interface VerifyOptions {
  readonly all?: boolean;
  /** Above 0, at most 1. */
  readonly sample?: number;
  readonly manager?: string;
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[point]", "id, a unique beginning of it, or VM@latest; everything when left out")
    .option("--all", "every pack, every point, and everything else in the repository")
    .option("--sample <share>", "as many packs as are this share of what is stored, oldest check first", parseShare)
    .option("--manager <name>", "the point is of a machine of this manager")
    .option("--from <destination>", "destination to look in")
    .addHelpText(
      "after",
      examples(
        ["ovault verify web01@latest", "one point"],
        ["ovault verify --sample 5%", "every night: everything within three weeks"],
        ["ovault verify --all", "everything"],
      ),
    )
    .action((point: string | undefined, options: VerifyOptions) =>
      invoke(command, async (context) => {
        const report = await verify(context, point, options);
        return {
          data: report,
          view: reportView(report),
          exitCode: report.damage.length > 0 ? EXIT.integrity : EXIT.ok,
        };
      }),
    );
};

/** Reads blocks back and compares them with their digests. Reports damage instead of throwing it. */
export async function verify(
  context: CommandContext,
  wanted: string | undefined,
  options: VerifyOptions,
): Promise<VerifyReport> {
  if ([wanted, options.all, options.sample].filter((way) => way !== undefined).length > 1) {
    throw new UsageError("name a point, or give --all, or --sample: one of them");
  }
  if (options.manager !== undefined && wanted === undefined) {
    throw new UsageError("--manager is for a point: say which one");
  }
  await using installation = await Installation.open(context);
  const repository = await installation.repository(options.from);
  const { signal, terminal } = context;
  const onBytes = terminal.showCount((bytes) => `verified ${formatBytes(bytes)}`);
  const read = { signal, onProgress: ({ bytes }: VerifyProgress) => onBytes(bytes) };
  const report =
    wanted !== undefined
      ? await verifyPoints(
          repository,
          [await findPoint(repository, wanted, context, { manager: options.manager })],
          read,
        )
      : options.sample === undefined
        ? await verifyRepository(repository, read)
        : await verifySample(repository, { share: options.sample, ...read });
  for (const note of report.notes) terminal.note(note);
  return report;
}

export function reportView({ points, chunks, bytes, packs, storedBytes, damage, pagesOnce }: VerifyReport): View {
  const rows = damage.map(({ point, disk, offset, length, reason }) => [
    point ?? "",
    disk ?? "",
    String(offset ?? ""),
    String(length ?? ""),
    reason,
  ]);
  const read = [
    ...(points > 0 ? [plural(points, "point")] : []),
    ...(packs > 0 ? [`${plural(packs, "pack")} of ${formatBytes(storedBytes)}`] : []),
    plural(chunks, "chunk"),
  ];
  return [
    ...(damage.length > 0 ? [table(["point", "disk", ">offset", ">length", "damage"], rows, "")] : []),
    text(
      `${read.join(", ")}, ${formatBytes(bytes)} read: ` +
        (damage.length === 0 ? "everything is as it was written" : damageFound(damage)),
    ),
    ...(pagesOnce > 0
      ? [text(`${plural(pagesOnce, "page")} of block maps lie in one pack only; \`ovault repair\` stores them again.`)]
      : []),
    ...(damage.length > 0 ? [text("Run `ovault repair` to save what can be saved and to mark what is lost.")] : []),
  ];
}

/** One bad pack is seen where it lies, and in each point that reads it: those are counted apart. */
function damageFound(damage: VerifyReport["damage"]): string {
  const inPoints = damage.filter(({ point }) => point !== null);
  const objects = damage.length - inPoints.length;
  const points = new Set(inPoints.map(({ point }) => point)).size;
  const where = [
    ...(objects > 0 ? [plural(objects, "object")] : []),
    ...(points > 0 ? [plural(points, "recovery point")] : []),
  ];
  return `damage found in ${where.join(" and ")}`;
}

/** `5%` → 0.05 */
function parseShare(written: string): number {
  const share = Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(written)?.[1]) / 100;
  if (share > 0 && share <= 1) return share;
  throw new InvalidArgumentError("It is a percentage above 0%, at most 100%.");
}
