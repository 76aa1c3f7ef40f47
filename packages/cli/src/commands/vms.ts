import { formatBytes, Installation, listVirtualMachines, type VmSummary } from "@ovault/operations";

import { examples, type Define } from "../command.ts";
import { table, type View } from "../output/view.ts";
import { choicesView } from "./choices-view.ts";
import { whyText } from "./why-text.ts";

interface VmsOptions {
  readonly manager?: string;
}

export const define: Define = (command, invoke) => {
  command
    .option("--manager <name>", "manager to ask")
    .addHelpText("after", examples(["ovault vms", "every disk, and how a backup would take it"]))
    .action((options: VmsOptions) =>
      invoke(command, async (context) => {
        await using installation = await Installation.open(context);
        const vms = await listVirtualMachines(installation, options, context.signal);
        return { data: vms, view: vmsView(vms) };
      }),
    );
};

export function vmsView(vms: readonly VmSummary[]): View {
  const rows = vms.flatMap(({ name, status, policies, strategy, disks }) => {
    const selected = policies.join(", ");
    if (disks.length === 0) return [[name, status, "", "no disks", "", "", "", "", selected, ""]];
    return disks.map((disk, position) => [
      position === 0 ? name : "",
      position === 0 ? status : "",
      String(disk.index),
      disk.alias,
      formatBytes(disk.logicalBytes),
      disk.actualBytes === null ? "" : formatBytes(disk.actualBytes),
      disk.verdict,
      strategy,
      position === 0 ? selected : "",
      whyText(disk),
    ]);
  });
  const titles = ["vm", "status", ">#", "disk", ">size", ">used", "backup", "strategy", "policy", "why"];
  return [
    table(titles, rows, "no virtual machines are visible to this user"),
    ...choicesView(vms.map((vm) => ({ ...vm, vm }))),
  ];
}
