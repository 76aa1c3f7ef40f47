import type { XmlElement } from "../engine/xml-element.ts";
import { parseNamed, type Named } from "./named.ts";

/** Machines of a cluster that should, or should not, run on one host. */
export interface AffinityGroup extends Named {
  readonly vmIds: readonly string[];
}

/** Parses one `<affinity_group>`. */
export function parseAffinityGroup(element: XmlElement): AffinityGroup {
  const vmIds = element.list("vms", "vm", (vm) => vm.attributes.get("id"));
  return { ...parseNamed(element, "affinity_group"), vmIds: vmIds.filter((id) => id !== undefined) };
}
