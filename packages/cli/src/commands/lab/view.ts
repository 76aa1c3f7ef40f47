import { resolve } from "node:path";

import { connectLab } from "@ovault/lab";

import { examples, type Define } from "../../command.ts";
import { text } from "../../output/view.ts";
import { labDirectory, type LabOption } from "./lab-directory.ts";

export const defineView: Define = (command, invoke) => {
  command
    .argument("<disk>", "id or alias")
    .argument("<file>", "raw file to write")
    .addHelpText("after", examples(["ovault lab view --dir lab web01_Disk1 now.raw", "to compare a restore with"]))
    .action((disk: string, file: string, options: LabOption) =>
      invoke(command, async (context) => {
        await connectLab(await labDirectory(options, context)).view(disk, resolve(file));
        return { data: { disk, file }, view: [text(`wrote ${disk} to ${file}`)] };
      }),
    );
};
