import { examples, type CommandContext, type Define } from "../command.ts";
import { Installation } from "../installation.ts";
import { formatTime } from "../output/format.ts";
import { text } from "../output/view.ts";
import { findPoint } from "../select/find-point.ts";
import { summarizePoint, type PointSummary } from "./point-summary.ts";

interface ForgetOptions {
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .argument("<point>", "id, a unique beginning of it, or VM@latest")
    .option("--from <destination>", "destination to look in")
    .addHelpText("after", examples(["ovault forget 0192f3", "other points are not affected"]))
    .action((point: string, options: ForgetOptions) =>
      invoke(command, async (context) => {
        const forgotten = await forgetPoint(context, point, options);
        const { id, vm, takenAt } = forgotten;
        return { data: { forgotten }, view: [text(`forgot ${id}: ${vm.name} as of ${formatTime(takenAt)}`)] };
      }),
    );
};

/** Removes one recovery point; its blocks stay in the repository, for the points that share them. */
export async function forgetPoint(
  context: CommandContext,
  wanted: string,
  { from }: ForgetOptions,
): Promise<PointSummary> {
  await using installation = await Installation.open(context);
  const repository = await installation.repository(from);
  const point = await findPoint(repository, wanted, context.signal);
  await repository.points.forget(point, context.signal);
  return summarizePoint(point);
}
