import { finding, plural, type Checklist } from "@ovault/contract";

import type { Installation } from "../installation/installation.ts";

/** Lists the entries that only a person can judge. */
export async function checkLedger(installation: Installation, list: Checklist): Promise<void> {
  await list.run("ledger", async () => {
    const { active, elsewhere, damaged } = await (await installation.ledger()).report();
    if (damaged.length > 0) {
      const files = damaged.map(({ file }) => file).join(", ");
      return finding.warn(
        `unreadable lines in ${files}`,
        "They may have held entries: look for things tagged with the run's id.",
      );
    }
    if (elsewhere.length > 0) {
      const titles = elsewhere.map(({ title, node }) => `${title} (${node})`).join(", ");
      return finding.warn(`left by another machine: ${titles}`, "Run `ovault doctor --fix` there.");
    }
    return active.length === 0
      ? finding.ok("clean")
      : finding.skip(`${plural(active.length, "thing")} of runs that go on`);
  });
}
