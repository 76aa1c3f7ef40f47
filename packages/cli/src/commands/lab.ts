import { examples, type Define } from "../command.ts";
import { withCommonOptions } from "../common-options.ts";
import { defineFault } from "./lab/fault.ts";
import { defineHost } from "./lab/host.ts";
import { defineMigrate } from "./lab/migrate.ts";
import { defineStart } from "./lab/start.ts";
import { defineStatus } from "./lab/status.ts";
import { defineStop } from "./lab/stop.ts";
import { defineView } from "./lab/view.ts";
import { defineWrite } from "./lab/write.ts";

const SUBCOMMANDS: readonly (readonly [name: string, summary: string, define: Define])[] = [
  ["start", "start a lab in a directory, new or used before", defineStart],
  ["write", "let the guest write to a disk", defineWrite],
  ["view", "write QEMU's own view of a disk to a raw file", defineView],
  ["fault", "switch a fault on or off; without a name, list them", defineFault],
  ["host", "change a host; without a name, list them", defineHost],
  ["migrate", "move a VM to another host", defineMigrate],
  ["status", "show url, hosts, virtual machines and faults", defineStatus],
  ["stop", "shut it down; the directory stays", defineStop],
];

export const define: Define = (command, invoke) => {
  for (const [name, summary, defineSubcommand] of SUBCOMMANDS) {
    const subcommand = withCommonOptions(command.command(name).description(summary));
    subcommand.option("--dir <directory>", "the lab's directory (default: where the lab's ovault.yaml is)");
    defineSubcommand(subcommand, invoke);
  }
  command.addHelpText(
    "after",
    examples(
      ["ovault lab start --dir lab --vm web01=disk.qcow2 --detach", "a VM with a copy of that image"],
      ["ovault backup web01 --config lab/ovault.yaml", "and so on, as with a real engine"],
      ["ovault lab stop --dir lab", ""],
    ),
  );
};
