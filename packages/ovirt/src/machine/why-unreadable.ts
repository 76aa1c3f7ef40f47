import type { Disk } from "@ovault/contract";

import { diskAttributes } from "../model/attributes.ts";

/** Why the engine can show no data of this disk, for people; undefined when it can. */
export function whyUnreadable(disk: Disk): string | undefined {
  const { status } = diskAttributes(disk);
  if (status === "illegal") return "the engine calls the disk illegal; repair it first";
  if (status === "unknown")
    return "the engine shows that it is attached, but not the disk; the user may lack rights on it";
  return undefined;
}
