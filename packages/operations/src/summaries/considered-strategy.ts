import type { DiskAssessment, VirtualMachine } from "@ovault/contract";
import type { StrategyAssessment } from "@ovault/core";

/** A strategy that was not chosen for a machine, and what it says about each disk. */
export interface ConsideredStrategy {
  readonly strategy: string;
  readonly disks: readonly (Pick<DiskAssessment, "verdict" | "reason"> & {
    readonly alias: string;
    readonly servedBy: DiskAssessment["servedBy"] | null;
  })[];
}

export function considered({ strategy, disks }: StrategyAssessment, vm: VirtualMachine): ConsideredStrategy {
  return {
    strategy: strategy.name,
    disks: disks.map(({ diskId, verdict, reason, servedBy = null }) => {
      const alias = vm.disks.find(({ id }) => id === diskId)?.alias ?? diskId;
      return { alias, verdict, reason, servedBy };
    }),
  };
}
