import type { Disk } from "@ovault/core";

import { diskAttributes } from "./attributes.ts";

/** Why the engine can make no snapshot of this disk, for people; undefined when it can. */
export function whyNoSnapshot(disk: Disk): string | undefined {
  return diskAttributes(disk).status === "illegal" ? "the engine calls the disk illegal; repair it first" : undefined;
}
