import { examples, type Define } from "../command.ts";
import { withCommonOptions } from "../common-options.ts";
import { defineAdd } from "./key/add.ts";
import { defineList } from "./key/list.ts";
import { defineRemove } from "./key/remove.ts";

const SUBCOMMANDS: readonly (readonly [name: string, summary: string, define: Define])[] = [
  ["add", "let another passphrase or key file open the repository", defineAdd],
  ["list", "list what opens the repository", defineList],
  ["remove", "let a passphrase or key file open it no more", defineRemove],
];

export const define: Define = (command, invoke) => {
  for (const [name, summary, defineSubcommand] of SUBCOMMANDS) {
    const subcommand = withCommonOptions(command.command(name).description(summary));
    subcommand.option("--destination <name>", "destination in ovault.yaml; the default one when left out");
    defineSubcommand(subcommand, invoke);
  }
  command.addHelpText(
    "after",
    examples(
      ["ovault key add --passphrase file:/etc/ovault/new --label 2027", "then let ovault.yaml refer to it,"],
      ["ovault key list", "see which is the old one,"],
      ["ovault key remove 1f3a", "and remove it: the passphrase is changed"],
    ),
  );
};
