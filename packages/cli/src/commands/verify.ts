import { plural, UsageError, verifyPoints, verifyRepository, type VerifyReport } from "@ovault/core";

import { examples, type CommandContext, type Define } from "../command.ts";
import { EXIT } from "../exit.ts";
import { Installation } from "../installation.ts";
import { formatBytes } from "../output/format.ts";
import { table, text, type View } from "../output/view.ts";
import { findPoint } from "../select/find-point.ts";

interface VerifyOptions {
  readonly all?: boolean;
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .argument("[point]", "id, a unique beginning of it, or VM@latest; all points when left out")
    .option("--all", "all points, and everything else in the repository")
    .option("--from <destination>", "destination to look in")
    .addHelpText("after", examples(["ovault verify web01@latest", "one point"], ["ovault verify --all", "everything"]))
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

/** Reads every block of the points back and compares it with its digest. Damage is in the report, not thrown. */
export async function verify(
  context: CommandContext,
  wanted: string | undefined,
  options: VerifyOptions,
): Promise<VerifyReport> {
  if (wanted !== undefined && options.all === true) throw new UsageError("name a point or give --all, not both");
  await using installation = await Installation.open(context);
  const repository = await installation.repository(options.from);
  const { signal, terminal } = context;
  const onProgress = terminal.showCount((bytes) => `verified ${formatBytes(bytes)}`);
  const read = { signal, onProgress: ({ bytes }: { readonly bytes: number }) => onProgress(bytes) };
  if (wanted !== undefined) {
    return await verifyPoints(repository, [await findPoint(repository, wanted, signal)], read);
  }
  return await verifyRepository(repository, read);
}

export function reportView({ points, chunks, bytes, damage }: VerifyReport): View {
  const rows = damage.map(({ point, disk, offset, reason }) => [point ?? "", disk ?? "", String(offset ?? ""), reason]);
  return [
    ...(damage.length > 0 ? [table(["point", "disk", ">offset", "damage"], rows, "")] : []),
    text(
      `${plural(points, "point")}, ${plural(chunks, "chunk")}, ${formatBytes(bytes)} read: ` +
        (damage.length === 0 ? "everything is as it was written" : `${plural(damage.length, "damage")} found`),
    ),
  ];
}
