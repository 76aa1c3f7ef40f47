import { access, realpath } from "node:fs/promises";
import { dirname } from "node:path";

import { LabDirectory } from "./lab-directory.ts";

/** The directory of the lab whose `ovault.yaml` this is; undefined when it is that of no lab, or missing. */
export async function labOfConfiguration(configFile: string): Promise<string | undefined> {
  try {
    const directory = dirname(await realpath(configFile));
    await access(new LabDirectory(directory).infoFile);
    return directory;
  } catch {
    return undefined;
  }
}
