import { connectLab } from "@ovault/lab";

import { examples, type Define } from "../../command.ts";
import { text } from "../../output/view.ts";
import { labDirectory, type LabOption } from "./lab-directory.ts";

export const defineStop: Define = (command, invoke) => {
  command.addHelpText("after", examples(["ovault lab stop --dir lab", ""])).action((options: LabOption) =>
    invoke(command, async (context) => {
      const dir = await labDirectory(options, context);
      await connectLab(dir).stop();
      return { data: { stopped: dir }, view: [text(`stopped the lab in ${dir}`)] };
    }),
  );
};
