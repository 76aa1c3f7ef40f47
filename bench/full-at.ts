import type { Contender } from "./case.ts";
import type { Site } from "./site.ts";

/** A backup of a machine into a new repository, every round. */
export function fullAt(site: Site, machine: string, name: string): Contender {
  return {
    name,
    prepare: () => site.fresh(),
    command: () => site.command("backup", machine),
    output: site.repository,
    tidy: () => site.clear(),
  };
}
