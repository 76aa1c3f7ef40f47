import { examples, type Define } from "../command.ts";
import { withCommonOptions } from "../common-options.ts";
import { defineCheck } from "./destination-check.ts";
import { defineInit } from "./destination-init.ts";

export const define: Define = (command, invoke) => {
  const subcommand = (name: string, summary: string) =>
    withCommonOptions(command.command(name).description(summary)).argument(
      "[name]",
      "destination in ovault.yaml; the default one when left out",
    );
  defineInit(subcommand("init", "make the place where it is missing, and the repository in it"), invoke);
  defineCheck(subcommand("check", "prove with real objects that the destination does what backups rely on"), invoke);
  command.addHelpText(
    "after",
    examples(
      ["ovault destination init nas", "once, by a person"],
      ["ovault destination check nas", "before relying on it"],
    ),
  );
};
