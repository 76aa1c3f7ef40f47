import { Installation, measureSpace } from "@ovault/operations";

import { examples, type Define } from "../command.ts";
import { imageSpaceView } from "./image-space-view.ts";
import { spaceView } from "./space-view.ts";

interface SpaceCommandOptions {
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .option("--from <destination>", "destination to look in")
    .addHelpText("after", examples(["ovault space", "what takes how much, and what prune would free"]))
    .action((options: SpaceCommandOptions) =>
      invoke(command, async (context) => {
        await using installation = await Installation.open(context);
        const onPages = context.terminal.showCount((pages) => `${pages} pages of block maps read`);
        const outcome = await measureSpace(installation, { ...options, onPages }, context.signal);
        return {
          data: outcome.report,
          view: outcome.content === "images" ? imageSpaceView(outcome) : spaceView(outcome),
        };
      }),
    );
};
