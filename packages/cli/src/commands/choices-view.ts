import type { ConsideredStrategy } from "@ovault/operations";

import { text, type View } from "../output/view.ts";
import { whyText } from "./why-text.ts";

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
          other.disks.map((disk) => `  ${other.strategy}: ${disk.alias}: ${disk.verdict}: ${whyText(disk)}`),
        ),
      ),
    );
}
