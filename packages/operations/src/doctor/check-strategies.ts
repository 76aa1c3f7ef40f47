import type { Checklist, Manager, Strategy } from "@ovault/contract";

import { noteWaits, type DoctorContext } from "./doctor-context.ts";

/** Reports each strategy's diagnosis of this machine and the manager. */
export async function checkStrategies(
  strategies: readonly Strategy[],
  manager: Manager,
  list: Checklist,
  context: Pick<DoctorContext, "signal" | "reporter">,
): Promise<void> {
  for (const strategy of strategies) {
    const title = `${manager.name}: ${strategy.name}`;
    await list.runAll(title, async () => (await strategy.diagnose?.(context.signal, noteWaits(context))) ?? []);
  }
}
