import { finding, messageOf, plural, type Checklist, type LedgerEntry, type Leftover } from "@ovault/contract";

import type { Installation } from "../installation/installation.ts";
import { removeLeftovers } from "../leftovers/leftovers.ts";
import type { DoctorContext } from "./doctor-context.ts";

const REMOVE = "Remove with: ovault doctor --fix (in scripts: --fix --yes)";

interface PlaceOfLeftovers {
  readonly place: string;
  readonly find: () => Promise<readonly Leftover[]>;
  /** What runs of other machines or containers have there, and may be using. */
  readonly findElsewhere?: () => Promise<readonly LedgerEntry[]>;
}

/** Checks for what dead runs left in a place, and removes it where the user approves. */
export async function checkLeftovers(
  installation: Installation,
  { place, find, findElsewhere }: PlaceOfLeftovers,
  list: Checklist,
  { signal, reporter, approve }: DoctorContext,
): Promise<void> {
  await list.run(`${place}: leftovers`, async () => {
    const leftovers = await find();
    if (leftovers.length === 0) {
      const others = (await findElsewhere?.()) ?? [];
      if (others.length === 0) return finding.ok("none");
      return finding.skip(`none of runs that ended here; ${plural(others.length, "thing")} of others, see ledger`);
    }
    const present = leftovers.filter(({ gone }) => !gone);
    for (const { entry, action } of present) reporter.note(`  ${entry.title} (run ${entry.runId}): ${action}`);
    const titles = present.map(({ entry }) => entry.title);
    if (present.length > 0 && !(await approve({ what: plural(present.length, "leftover"), titles }))) {
      return finding.warn(titles.join(", "), REMOVE);
    }
    const results = await removeLeftovers(installation, leftovers, signal);
    const failed = results.filter(({ error }) => error !== undefined);
    if (failed.length === 0) {
      const removed = present.length === 0 ? [] : [`removed: ${titles.join(", ")}`];
      return finding.ok([...removed, ...describeGone(leftovers.length - present.length)].join("; "));
    }
    const reasons = failed.map(({ entry, error }) => `${entry.title}: ${messageOf(error)}`);
    return { status: "fail", detail: `could not remove ${reasons.join("; ")}`, hint: "They stay in the ledger." };
  });
}

/** What only the ledger still had. */
function describeGone(count: number): readonly string[] {
  return count === 0 ? [] : [`${plural(count, "thing")} in the ledger, gone already`];
}
