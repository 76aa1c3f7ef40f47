import { UsageError } from "@ovault/contract";
import { connectLab, faultModes, type FaultMode } from "@ovault/lab";

import { examples, type Define } from "../../command.ts";
import { table, text } from "../../output/view.ts";
import { labDirectory, type LabOption } from "./lab-directory.ts";

export const defineFault: Define = (command, invoke) => {
  command
    .argument("[name]", "the fault; all are listed when left out")
    .argument("[mode]", "on, off or once", "once")
    .addHelpText("after", examples(["ovault lab fault --dir lab transfer-cut once", "strikes once, then is off"]))
    .action((name: string | undefined, mode: string, options: LabOption) =>
      invoke(command, async (context) => {
        const lab = connectLab(await labDirectory(options, context));
        if (name !== undefined) {
          await lab.fault(name, parseMode(mode));
          return { data: { name, mode }, view: [text(`${name} is ${mode}`)] };
        }
        const faults = await lab.faults();
        const rows = faults.map((fault) => [fault.name, fault.mode, fault.description]);
        return { data: faults, view: [table(["fault", "mode", "what happens"], rows, "")] };
      }),
    );
};

function parseMode(written: string): FaultMode {
  const mode = faultModes.find((known) => known === written);
  if (mode !== undefined) return mode;
  throw new UsageError(`"${written}" is not one of ${faultModes.join(", ")}`);
}
