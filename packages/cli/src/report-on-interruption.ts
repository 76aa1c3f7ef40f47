import type { Installation } from "@ovault/operations";

import type { CommandContext } from "./command.ts";

/** Makes a second Ctrl-C print what it leaves behind. */
export function reportOnInterruption(
  installation: Pick<Installation, "ledger">,
  { interruption }: Pick<CommandContext, "interruption">,
): void {
  interruption.remainder = async () => {
    const ledger = await installation.ledger();
    return (await ledger.report()).active.map(({ title }) => title);
  };
}
