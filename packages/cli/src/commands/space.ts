import { spaceReport } from "@ovault/core";
import { Installation, describeHolders } from "@ovault/operations";

import { examples, type CommandContext, type Define } from "../command.ts";
import { type SpaceOutcome, spaceView } from "./space-view.ts";

interface SpaceCommandOptions {
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .option("--from <destination>", "destination to look in")
    .addHelpText("after", examples(["ovault space", "what takes how much, and what prune would free"]))
    .action((options: SpaceCommandOptions) =>
      invoke(command, async (context) => {
        const outcome = await space(context, options);
        return { data: outcome.report, view: spaceView(outcome) };
      }),
    );
};

/** The space usage of a destination. Changes nothing. */
export async function space(context: CommandContext, { from }: SpaceCommandOptions): Promise<SpaceOutcome> {
  await using installation = await Installation.open(context);
  const repository = await installation.repository(from);
  const { signal, terminal } = context;
  const onProgress = terminal.showCount((pages) => `${pages} pages of block maps read`);
  const report = await spaceReport(repository, { onProgress, signal });
  return { report, holders: await describeHolders(repository, report.condemned.heldBy, signal) };
}
