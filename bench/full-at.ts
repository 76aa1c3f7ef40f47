import type { Contender } from "./case.ts";
import type { Site } from "./site.ts";

/** A backup into a new repository, every round. `machines`: a name, or a selector. */
export function fullAt(site: Site, machines: string, name: string): Contender {
  return {
    name,
    prepare: () => site.fresh(),
    command: () => site.command("backup", machines),
    output: site.repository,
    tidy: () => site.clear(),
  };
}
