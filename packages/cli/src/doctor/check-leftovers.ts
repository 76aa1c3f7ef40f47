import { plural, type Leftover, type Manager } from "@ovault/contract";
import { type Installation, findLeftovers, removeLeftovers, errorSummary } from "@ovault/operations";

import type { CommandContext } from "../command.ts";
import { Questions } from "../questions.ts";
import { ok, skip, warn, type Checklist } from "./checklist.ts";

/** `show`: only tell. `ask`: tell, then ask, then remove. `remove`: do not ask. */
export type Fix = "show" | "ask" | "remove";

/** What runs that are over have left on a manager. */
export async function checkLeftovers(
  installation: Installation,
  manager: Manager,
  list: Checklist,
  context: CommandContext,
  fix: Fix,
): Promise<void> {
  await list.run(`${manager.name}: leftovers`, async () => {
    const leftovers = await findLeftovers(installation, manager, context.signal);
    if (leftovers.length === 0) return ok("none");
    const present = leftovers.filter(({ gone }) => !gone);
    for (const { entry, action } of present) context.terminal.note(`  ${entry.title} (run ${entry.runId}): ${action}`);
    if (!(await approved(present, fix, context.signal))) {
      return warn(present.map(({ entry }) => entry.title).join(", "), "Remove with: ovault doctor --fix");
    }
    const results = await removeLeftovers(installation, leftovers, context.signal);
    const failed = results.filter(({ error }) => error !== undefined);
    if (failed.length === 0) return ok(`removed: ${plural(results.length, "leftover")}`);
    const reasons = failed.map(({ entry, error }) => `${entry.title}: ${errorSummary(error).message}`);
    return { status: "fail", detail: `could not remove ${reasons.join("; ")}`, hint: "They stay in the ledger." };
  });
}

async function approved(present: readonly Leftover[], fix: Fix, signal: AbortSignal): Promise<boolean> {
  if (present.length === 0 || fix === "remove") return true;
  return fix === "ask" && (await new Questions(signal).confirm(`Remove ${plural(present.length, "leftover")}?`));
}

/** Entries that nobody but a person can judge. */
export async function checkLedger(installation: Installation, list: Checklist): Promise<void> {
  await list.run("ledger", async () => {
    const { active, elsewhere, damaged } = await (await installation.ledger()).report();
    if (damaged.length > 0) {
      const files = damaged.map(({ file }) => file).join(", ");
      return warn(
        `unreadable lines in ${files}`,
        "They may have held entries: look for things tagged with the run's id.",
      );
    }
    if (elsewhere.length > 0) {
      const titles = elsewhere.map(({ title, node }) => `${title} (${node})`).join(", ");
      return warn(`left by another machine: ${titles}`, "Run `ovault doctor --fix` there.");
    }
    return active.length === 0 ? ok("clean") : skip(`${plural(active.length, "thing")} of runs that go on`);
  });
}
