import { chooseEntry } from "@ovault/core";
import { checkObjectStore, objectStoreChecks, type CheckResult } from "@ovault/testkit/checks";

import type { CommandContext, Define } from "../command.ts";
import { EXIT } from "../exit.ts";
import { Installation } from "../installation.ts";
import { table, text, type View } from "../output/view.ts";

export interface DestinationCheckResult {
  readonly destination: string;
  readonly checks: readonly CheckResult[];
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
        const failed = result.checks.some(({ status }) => status === "failed");
        return { data: result, view: resultView(result), exitCode: failed ? EXIT.findings : EXIT.ok };
      }),
    );
};

/** Runs the checks of the object store contract on a destination, by two clients. What fails is in the result. */
export async function checkDestination(
  context: CommandContext,
  name: string | undefined,
): Promise<DestinationCheckResult> {
  const { signal, terminal } = context;
  await using installation = await Installation.open(context);
  const destination = chooseEntry(installation.configuration, "destination", name).name;
  const showProgress = terminal.showCount((done) => `${done} of ${objectStoreChecks.length} checks`);
  let done = 0;
  const onResult = ({ status, detail }: CheckResult): void => {
    showProgress((done += 1));
    // A command that was interrupted prints no result; what it leaves behind must be known all the same.
    if (signal.aborted && status === "failed") terminal.complain(`${destination}: ${detail}`);
  };
  const store = await installation.store(destination);
  try {
    const second = await installation.store(destination);
    try {
      return { destination, checks: await checkObjectStore(store, { second, signal, onResult }) };
    } finally {
      await second.close();
    }
  } finally {
    await store.close();
  }
}

function resultView({ checks }: DestinationCheckResult): View {
  const count = (wanted: CheckResult["status"]): number => checks.filter(({ status }) => status === wanted).length;
  const rows = checks.map(({ name, status, detail }) => [status, name, detail]);
  return [
    table(["", "check", "expected and got"], rows, ""),
    text(`${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`),
  ];
}
