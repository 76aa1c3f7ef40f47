import type { Ledger } from "@ovault/core";

import type { CommandContext } from "./command.ts";

/** Makes a second Ctrl-C print what it leaves behind. */
export function reportOnInterruption(ledger: Ledger, { interruption }: Pick<CommandContext, "interruption">): void {
  interruption.remainder = async () => (await ledger.report()).active.map(({ title }) => title);
}
