import { collect, examples, type Define } from "../command.ts";
import { withCommonOptions } from "../common-options.ts";
import { defineRemove } from "./export-domain/remove.ts";
import { defineServe } from "./export-domain/serve.ts";
import { defineSetup } from "./export-domain/setup.ts";
import { defineStatus } from "./export-domain/status.ts";

const SUBCOMMANDS: readonly (readonly [name: string, summary: string, define: Define])[] = [
  ["serve", "export the folders over NFSv3 until Ctrl-C, in place of the kernel's server", defineServe],
  ["setup", "make the folder, prove its export, register, attach and activate the export domain", defineSetup],
  ["remove", "take the export domain away from the engine; it must be empty", defineRemove],
  ["status", "show each export domain, and whether backups can use it", defineStatus],
];

export const define: Define = (command, invoke) => {
  for (const [name, summary, defineSubcommand] of SUBCOMMANDS) {
    const subcommand = withCommonOptions(command.command(name).description(summary))
      .option("--manager <name>", "manager in ovault.yaml; the default one when left out")
      .option("--data-center <name>", "this data center alone; repeatable", collect);
    defineSubcommand(subcommand, invoke);
  }
  command.addHelpText(
    "after",
    examples(
      ["ovault export-domain setup --print", "what the kernel's NFS server has to export,"],
      ["ovault export-domain serve", "or a server in its place;"],
      ["ovault export-domain setup", "then the export domain of each data center"],
    ),
  );
};
