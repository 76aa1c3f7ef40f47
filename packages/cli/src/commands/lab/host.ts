import { UsageError } from "@ovault/contract";
import { connectLab, hostChangeNames, hostChanges, type HostChange } from "@ovault/lab";

import { examples, type Define } from "../../command.ts";
import { table, text } from "../../output/view.ts";
import { labDirectory, type LabOption } from "./lab-directory.ts";
import { hostTable } from "./status.ts";

export const defineHost: Define = (command, invoke) => {
  command
    .argument("[name]", "the host; all are listed when left out")
    .argument("[change]", "what changes; all changes are listed when left out")
    .addHelpText(
      "after",
      examples(["ovault lab host --dir lab lab-host power-off", "its SSH, processes and virtual machines end"]),
    )
    .action((name: string | undefined, written: string | undefined, options: LabOption) =>
      invoke(command, async (context) => {
        const lab = connectLab(await labDirectory(options, context));
        if (name === undefined) {
          const { hosts, vms } = await lab.status();
          return { data: hosts, view: [hostTable({ hosts, vms })] };
        }
        if (written === undefined) {
          const rows = hostChangeNames.map((change) => [change, hostChanges[change]]);
          return { data: hostChanges, view: [table(["change", "what happens"], rows, "")] };
        }
        const change = parseChange(written);
        await lab.changeHost(name, change);
        return { data: { name, change }, view: [text(`${name}: ${change}`)] };
      }),
    );
};

function parseChange(written: string): HostChange {
  const change = hostChangeNames.find((known) => known === written);
  if (change !== undefined) return change;
  throw new UsageError(`"${written}" is not one of ${hostChangeNames.join(", ")}`);
}
