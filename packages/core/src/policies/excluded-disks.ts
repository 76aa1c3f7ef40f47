import type { VirtualMachine } from "@ovault/contract";
import { matchesGlob } from "../util/matches-glob.ts";

/** Ids of a machine's disks that `excluded` matches: each entry is an id, or a glob for aliases. */
export function excludedDisks({ disks }: VirtualMachine, excluded: readonly string[]): readonly string[] {
  return disks
    .filter(({ id, alias }) => excluded.some((wanted) => wanted === id || matchesGlob(wanted, alias)))
    .map(({ id }) => id);
}
