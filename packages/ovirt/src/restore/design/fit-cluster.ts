import { UsageError, type VirtualMachine } from "@ovault/contract";

import { vmAttributes } from "../../model/attributes.ts";
import type { Cluster } from "../../model/cluster.ts";
import type { DataCenter } from "../../model/data-center.ts";
import { isAtLeast } from "../../model/engine-version.ts";
import type { OvfDescription } from "../../ovf/read-ovf.ts";

/**
 * Checks that the machine of a point can run in a cluster.
 *
 * @returns what may differ from the point, for people
 * @throws UsageError when the engine would refuse the machine there
 */
export function fitCluster(
  vm: Pick<VirtualMachine, "attributes">,
  ovf: Pick<OvfDescription, "compatibility" | "customCompatibility">,
  { cluster, dataCenter }: { readonly cluster: Cluster; readonly dataCenter: DataCenter | undefined },
): readonly string[] {
  const { architecture } = vmAttributes(vm);
  if (differ(architecture, cluster.architecture)) {
    throw new UsageError(
      `the machine is for ${architecture}, and cluster ${cluster.name} is of ${cluster.architecture}`,
      {
        hint: (field) => `Pass ${field("cluster")} with one of ${architecture}.`,
      },
    );
  }
  if (dataCenter?.status !== undefined && dataCenter.status !== "up") {
    throw new UsageError(`data center ${dataCenter.name} of cluster ${cluster.name} is ${dataCenter.status}`, {
      hint: (field) => `Bring it up, or pass ${field("cluster")} with one of another data center.`,
    });
  }
  const { version, name } = cluster;
  if (version === undefined) return [];
  const own = ovf.customCompatibility;
  if (own !== undefined && !isAtLeast(version, own.major, own.minor)) {
    const level = `${version.major}.${version.minor}`;
    throw new UsageError(
      `the machine has a compatibility version of its own, ${own.full}, and cluster ${name} is at ${level}`,
      {
        hint: (field) => `Pass ${field("cluster")} with one of compatibility version ${own.full} or later.`,
      },
    );
  }
  const was = ovf.compatibility;
  if (was === undefined || isAtLeast(version, was.major, was.minor)) return [];
  return [
    `cluster ${name} has compatibility version ${version.major}.${version.minor}, and the machine is from ${was.full}: settings that are newer get lost`,
  ];
}

/** Unknown and `undefined` match anything. */
function differ(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a !== "undefined" && b !== "undefined" && a !== b;
}
