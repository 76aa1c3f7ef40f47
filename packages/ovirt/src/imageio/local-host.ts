import { readFile } from "node:fs/promises";

/** Where VDSM keeps the hardware id that the engine knows a host by (`hw_id` of the host). */
const HARDWARE_ID_FILE = "/etc/vdsm/vdsm.id";

/**
 * The hardware id of this machine, or undefined when it is no oVirt host. The engine finds a host by it
 * (`search=hw_id=…`).
 */
export async function localHardwareId(file: string = HARDWARE_ID_FILE): Promise<string | undefined> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch {
    return undefined;
  }
}
