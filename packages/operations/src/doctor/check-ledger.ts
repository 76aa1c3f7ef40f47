import { join } from "node:path";

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
      const titles = elsewhere.map(({ title, node, runId }) => `${title} (${node}, run ${runId})`).join(", ");
      const directory = join(installation.configuration.stateDirectory, "ledger");
      return finding.warn(
        `of runs of another machine or container, which may go on: ${titles}`,
        `If such a run has ended, run \`ovault doctor --fix\` where it ran. If that is gone (a container that was made anew), remove what is listed in the manager, then ${directory}/RUN.jsonl. docs/operations.md says how containers avoid this.`,
      );
    }
    return active.length === 0
      ? finding.ok("clean")
      : finding.skip(`${plural(active.length, "thing")} of runs that go on`);
  });
}
