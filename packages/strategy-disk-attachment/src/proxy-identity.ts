import { readFile } from "node:fs/promises";

import { messageOf, systemErrorCode } from "@ovault/contract";

const PRODUCT_UUID = "/sys/class/dmi/id/product_uuid";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The identity of this machine by its hardware. */
export type ProxyIdentity =
  | {
      /** Ids that the engine may know this machine by, lower-case. */
      readonly ids: readonly string[];
    }
  | {
      /** Why it is unknown, for people. */
      readonly unknown: string;
    };

/** Reads the UUID that the hypervisor gave this machine: the engine's id of the virtual machine. */
export async function readProxyIdentity(file: string = PRODUCT_UUID): Promise<ProxyIdentity> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return { unknown: "this machine's hardware has no UUID" };
    const reason = ["EACCES", "EPERM"].includes(systemErrorCode(error) ?? "") ? "only root may" : messageOf(error);
    return { unknown: `the UUID of this machine's hardware cannot be read (${reason})` };
  }
  const uuid = text.trim().toLowerCase();
  return UUID.test(uuid) ? { ids: idsOf(uuid) } : { unknown: "the UUID of this machine's hardware is invalid" };
}

/** SMBIOS before 2.6 did not define the byte order of the first three fields, and kernels print them accordingly. */
function idsOf(uuid: string): string[] {
  const [low = "", middle = "", high = "", ...rest] = uuid.split("-");
  return [uuid, [...[low, middle, high].map(swapped), ...rest].join("-")];
}

function swapped(field: string): string {
  return Buffer.from(Buffer.from(field, "hex").toReversed()).toString("hex");
}
