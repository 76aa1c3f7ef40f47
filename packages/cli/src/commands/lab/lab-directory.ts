import { UsageError } from "@ovault/contract";
import { labOfConfiguration } from "@ovault/lab";

import type { CommandContext } from "../../command.ts";

export interface LabOption {
  readonly dir?: string;
}

/** The directory of `--dir`, otherwise that of the lab whose configuration is in use. @throws UsageError */
export async function labDirectory({ dir }: LabOption, { configFile }: CommandContext): Promise<string> {
  const directory = dir ?? (await labOfConfiguration(configFile));
  if (directory !== undefined) return directory;
  throw new UsageError("--dir is missing, and the configuration is not that of a lab", {
    context: { configFile },
    hint: "Give the lab's directory, or its ovault.yaml with --config or $OVAULT_CONFIG.",
  });
}
