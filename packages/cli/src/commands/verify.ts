import { plural } from "@ovault/contract";
import type { VerifyReport } from "@ovault/core";
import { assertVerifySound, formatBytes, Installation, runVerify } from "@ovault/operations";
import { InvalidArgumentError } from "commander";

import { examples, type Define } from "../command.ts";
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
        const { all = false, sample, manager, from } = options;
        const job = { kind: "verify", point, all, sample, manager, from } as const;
        assertVerifySound(job);
        await using installation = await Installation.open(context);
        const report = await runVerify(installation, job, context);
        return {
          data: report,
          view: reportView(report),
          exitCode: report.damage.length > 0 ? EXIT.integrity : EXIT.ok,
        };
      }),
    );
};

const REPAIR = "Run `ovault repair` to save what can be saved and to mark what is lost.";
const NO_REPAIR =
  "Whole images cannot be repaired: forget these points, and the next backup with --full reads their disks again.";

export function reportView({
  points,
  chunks,
  bytes,
  packs,
  storedBytes,
  damage,
  pagesOnce,
  repairable,
}: VerifyReport): View {
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
    ...(damage.length > 0 ? [text(repairable ? REPAIR : NO_REPAIR)] : []),
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
