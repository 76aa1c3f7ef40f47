import { finding, messageOf, plural, type Checklist, type Manager } from "@ovault/contract";

import type { Installation } from "../installation/installation.ts";
import { findLeftovers, removeLeftovers } from "../leftovers/leftovers.ts";
import type { DoctorContext } from "./doctor-context.ts";

/** Checks for what dead runs left on a manager. */
export async function checkLeftovers(
  installation: Installation,
  manager: Manager,
  list: Checklist,
  { signal, reporter, approve }: DoctorContext,
): Promise<void> {
  await list.run(`${manager.name}: leftovers`, async () => {
    const leftovers = await findLeftovers(installation, manager, signal);
    if (leftovers.length === 0) return finding.ok("none");
    const present = leftovers.filter(({ gone }) => !gone);
    for (const { entry, action } of present) reporter.note(`  ${entry.title} (run ${entry.runId}): ${action}`);
    if (present.length > 0 && !(await approve(`Remove ${plural(present.length, "leftover")}?`))) {
      return finding.warn(present.map(({ entry }) => entry.title).join(", "), "Remove with: ovault doctor --fix");
    }
    const results = await removeLeftovers(installation, leftovers, signal);
    const failed = results.filter(({ error }) => error !== undefined);
    if (failed.length === 0) return finding.ok(`removed: ${plural(results.length, "leftover")}`);
    const reasons = failed.map(({ entry, error }) => `${entry.title}: ${messageOf(error)}`);
    return { status: "fail", detail: `could not remove ${reasons.join("; ")}`, hint: "They stay in the ledger." };
  });
}
