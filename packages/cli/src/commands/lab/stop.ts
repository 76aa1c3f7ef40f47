import { connectLab } from "@ovault/lab";

import { examples, type Define } from "../../command.ts";
import { text } from "../../output/view.ts";

interface StopOptions {
  readonly dir: string;
}

export const defineStop: Define = (command, invoke) => {
  command.addHelpText("after", examples(["ovault lab stop --dir lab", ""])).action(({ dir }: StopOptions) =>
    invoke(command, async () => {
      await connectLab(dir).stop();
      return { data: { stopped: dir }, view: [text(`stopped the lab in ${dir}`)] };
    }),
  );
};
