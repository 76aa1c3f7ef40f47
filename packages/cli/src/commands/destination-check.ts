import { chooseEntry } from "@ovault/core";
import { Installation } from "@ovault/operations";
import { checkObjectStore, OBJECT_STORE_RESULTS, type CheckResult } from "@ovault/testkit/checks";

import type { CommandContext, Define } from "../command.ts";
import { EXIT } from "../exit.ts";
import { table, text, type View } from "../output/view.ts";

export interface DestinationCheckResult {
  readonly destination: string;
  readonly checks: readonly CheckResult[];
  readonly counts: Readonly<Record<CheckResult["status"], number>>;
}

export const defineCheck: Define = (command, invoke) => {
  command
    .addHelpText(
      "after",
      "\nIt writes some 300 MiB into a folder of its own, check-…, and removes it, also after Ctrl-C.\n" +
        "What else lies in the destination is not touched.",
    )
    .action((name: string | undefined) =>
      invoke(command, async (context) => {
        const result = await checkDestination(context, name);
        const exitCode = result.counts.failed > 0 ? EXIT.findings : EXIT.ok;
        return { data: result, view: resultView(result), exitCode };
      }),
    );
};

/**
 * Runs the checks of the object store contract on a destination, with two clients. Returns failures instead of throwing
 * them.
 */
export async function checkDestination(
  context: CommandContext,
  name: string | undefined,
): Promise<DestinationCheckResult> {
  const { signal, terminal } = context;
  await using installation = await Installation.open(context);
  const destination = chooseEntry(installation.configuration, "destination", name).name;
  const showProgress = terminal.showCount((done) => `${done} of ${OBJECT_STORE_RESULTS} checks`);
  let done = 0;
  const onResult = ({ status, detail }: CheckResult): void => {
    showProgress((done += 1));
    // An interrupted command prints no result, but what it leaves behind must be reported.
    if (signal.aborted && status === "failed") terminal.complain(`${destination}: ${detail}`);
  };
  const store = await installation.store(destination);
  try {
    const second = await installation.store(destination);
    try {
      const checks = await checkObjectStore(store, { second, signal, onResult });
      return { destination, checks, counts: countsOf(checks) };
    } finally {
      await second.close();
    }
  } finally {
    await store.close();
  }
}

function countsOf(checks: readonly CheckResult[]): DestinationCheckResult["counts"] {
  const count = (wanted: CheckResult["status"]): number => checks.filter(({ status }) => status === wanted).length;
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
}

function resultView({ checks, counts }: DestinationCheckResult): View {
  const rows = checks.map(({ name, status, detail }) => [status, name, detail]);
  const { passed, failed, skipped } = counts;
  return [
    table(["", "check", "expected and got"], rows, ""),
    text(`${passed} passed, ${failed} failed, ${skipped} skipped`),
  ];
}
