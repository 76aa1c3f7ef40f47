import type { DiskAssessment, VirtualMachine } from "@ovault/contract";
import { excludedDisks, type Policy, type StrategyChoice } from "@ovault/core";

import { considered, type ConsideredStrategy } from "./considered-strategy.ts";

/** A virtual machine as `--json` shows it; docs/cli.md describes it. Sizes in bytes. */
export interface VmSummary {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly cluster: string | null;
  readonly host: string | null;
  readonly tags: readonly string[];
  /** The policies that select it, in the order of ovault.yaml. The first one applies. */
  readonly policies: readonly string[];
  readonly strategy: string;
  readonly strategyReason: string;
  /** The other strategies, the best first. */
  readonly rejected: readonly ConsideredStrategy[];
  readonly disks: readonly VmDiskSummary[];
}

export interface VmDiskSummary {
  readonly id: string;
  readonly alias: string;
  readonly index: number;
  readonly logicalBytes: number;
  readonly actualBytes: number | null;
  readonly format: string;
  readonly verdict: DiskAssessment["verdict"];
  readonly reason: string;
  /** The host that its data would come from; null where the strategy chooses none, or the engine does later. */
  readonly servedBy: DiskAssessment["servedBy"] | null;
}

/** @param policies those that select the machine, in the order of ovault.yaml */
export function summarizeVm(
  vm: VirtualMachine,
  policies: readonly Policy[],
  { strategy, reason, disks, rejected }: StrategyChoice,
): VmSummary {
  const [policy] = policies;
  const excluded = excludedDisks(vm, policy?.excludeDisks ?? []);
  const byPolicy = `by policy ${policy?.name}`;
  return {
    id: vm.id,
    name: vm.name,
    status: vm.status,
    cluster: vm.cluster?.name ?? null,
    host: vm.host?.name ?? null,
    tags: vm.tags ?? [],
    policies: policies.map(({ name }) => name),
    strategy: strategy.name,
    strategyReason: policy === undefined || policy.strategy === "auto" ? reason : `${reason} ${byPolicy}`,
    rejected: rejected.map((other) => considered(other, vm)),
    disks: vm.disks.map((disk) => {
      const found = disks.find(({ diskId }) => diskId === disk.id);
      return {
        id: disk.id,
        alias: disk.alias,
        index: disk.index,
        logicalBytes: disk.logicalBytes,
        actualBytes: disk.actualBytes ?? null,
        format: disk.format,
        ...(excluded.includes(disk.id)
          ? { verdict: "skip" as const, reason: `excluded ${byPolicy}`, servedBy: null }
          : {
              verdict: found?.verdict ?? ("impossible" as const),
              reason: found?.reason ?? `${strategy.name} does not know this disk`,
              servedBy: found?.servedBy ?? null,
            }),
      };
    }),
  };
}
