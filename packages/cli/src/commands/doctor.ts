import { UsageError, type Diagnosis } from "@ovault/contract";
import { examine } from "@ovault/operations";

import { examples, type Define } from "../command.ts";
import { EXIT } from "../exit.ts";
import { table, text, type View } from "../output/view.ts";
import { Questions } from "../questions.ts";

interface DoctorOptions {
  readonly fix?: boolean;
  readonly yes?: boolean;
}

export const define: Define = (command, invoke) => {
  command
    .option("--fix", "remove what dead runs left on the engine, after showing it and asking")
    .option("--yes", "with --fix: do not ask")
    .addHelpText(
      "after",
      examples(["ovault doctor", "look at everything"], ["ovault doctor --fix --yes", "for scripts"]),
    )
    .action((options: DoctorOptions) =>
      invoke(command, async (context) => {
        const checks = await examine({ ...context, approve: approvalOf(options, context.signal) });
        const failed = checks.some(({ status }) => status === "fail");
        return { data: checks, view: checksView(checks), exitCode: failed ? EXIT.findings : EXIT.ok };
      }),
    );
};

/** Decides whether to remove what `doctor` found. @throws UsageError */
function approvalOf({ fix, yes }: DoctorOptions, signal: AbortSignal): (question: string) => Promise<boolean> {
  if (yes === true && fix !== true) throw new UsageError("--yes is for --fix");
  if (fix !== true) return async () => false;
  if (yes === true) return async () => true;
  const questions = new Questions(signal);
  return (question) => questions.confirm(question);
}

function checksView(checks: readonly Diagnosis[]): View {
  const rows = checks.map(({ name, status, detail }) => [status, name, detail.replaceAll("\n", "; ")]);
  const hints = checks.flatMap(({ name, hint }) => (hint === null ? [] : [`${name}: ${hint}`]));
  return [table(["", "check", "found"], rows, ""), ...(hints.length > 0 ? [text("Hints:", ...hints)] : [])];
}
