import type { VirtualMachine } from "@ovault/contract";
import type { RunLimits } from "../policies/run-limits.ts";
import type { Resource } from "./run-queue.ts";

/** The resources that copying a machine loads, with their limits. `excludeDisks`: ids. */
export function resourcesOf(
  { manager, host, disks }: VirtualMachine,
  excludeDisks: readonly string[],
  limits: RunLimits,
): readonly Resource[] {
  const taken = disks.filter(({ id }) => !excludeDisks.includes(id));
  const domains = new Set(taken.flatMap(({ storageDomain }) => storageDomain?.id ?? []));
  return [
    { name: "total", permits: limits.total },
    { name: `manager ${manager}`, permits: limits.perManager },
    ...(host === undefined ? [] : [{ name: `host ${manager} ${host.id}`, permits: limits.perHost }]),
    ...[...domains].map((id) => ({ name: `storage domain ${manager} ${id}`, permits: limits.perStorageDomain })),
  ];
}
