import type { DiskAssessment, VirtualMachine } from "@ovault/contract";
import type { StrategyAssessment } from "@ovault/core";

import { text, type View } from "../output/view.ts";

/** A strategy that was not chosen for a machine, and what it says about each disk. */
export interface ConsideredStrategy {
  readonly strategy: string;
  readonly disks: readonly (Pick<DiskAssessment, "verdict" | "reason"> & { readonly alias: string })[];
}

export function considered({ strategy, disks }: StrategyAssessment, vm: VirtualMachine): ConsideredStrategy {
  return {
    strategy: strategy.name,
    disks: disks.map(({ diskId, verdict, reason }) => {
      const alias = vm.disks.find(({ id }) => id === diskId)?.alias ?? diskId;
      return { alias, verdict, reason };
    }),
  };
}

/** Why each machine's strategy was chosen, and what the others offer; empty where there was no choice. */
export function choicesView(
  choices: readonly {
    readonly vm: { readonly name: string };
    readonly strategy: string;
    readonly strategyReason: string;
    readonly rejected: readonly ConsideredStrategy[];
  }[],
): View {
  return choices
    .filter(({ rejected }) => rejected.length > 0)
    .map(({ vm, strategy, strategyReason, rejected }) =>
      text(
        `${vm.name}: ${strategy} is ${strategyReason}`,
        ...rejected.flatMap((other) =>
          other.disks.map(({ alias, verdict, reason }) => `  ${other.strategy}: ${alias}: ${verdict}: ${reason}`),
        ),
      ),
    );
}
