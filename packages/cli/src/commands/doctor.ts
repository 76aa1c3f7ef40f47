import { UsageError, type Diagnosis } from "@ovault/contract";
import { examine, type DoctorContext, type ProposedRemoval } from "@ovault/operations";

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
    .option("--yes", "with --fix: do not ask; needed where there is no terminal")
    .addHelpText(
      "after",
      examples(["ovault doctor", "look at everything"], ["ovault doctor --fix --yes", "for scripts"]),
    )
    .action((options: DoctorOptions) =>
      invoke(command, async (context) => {
        const unasked: ProposedRemoval[] = [];
        const approve = approvalOf(options, context.signal, unasked);
        const checks = await examine({ ...context, approve });
        const failed = checks.some(({ status }) => status === "fail");
        return {
          data: checks,
          view: checksView(checks),
          exitCode: failed ? EXIT.findings : EXIT.ok,
          error: unasked.length === 0 ? undefined : needsYes(unasked),
        };
      }),
    );
};

/**
 * Decides whether to remove what `doctor` found.
 * @param unasked receives what it could not ask about, for want of a terminal
 * @throws UsageError
 */
function approvalOf(
  { fix, yes }: DoctorOptions,
  signal: AbortSignal,
  unasked: ProposedRemoval[],
): DoctorContext["approve"] {
  if (yes === true && fix !== true) throw new UsageError("--yes is for --fix");
  if (fix !== true) return async () => false;
  if (yes === true) return async () => true;
  const questions = new Questions(signal);
  return async (removal) => {
    if (questions.interactive) return await questions.confirm(`Remove ${removal.what}?`);
    unasked.push(removal);
    return false;
  };
}

function needsYes(unasked: readonly ProposedRemoval[]): UsageError {
  const what = unasked.map((removal) => removal.what).join(" and ");
  const titles = unasked.flatMap((removal) => removal.titles);
  return new UsageError(`--fix needs --yes where there is no terminal to ask in: ${what} not removed`, {
    context: { titles: titles.join(", ") },
    hint: `With --yes it removes: ${titles.join(", ")}.`,
  });
}

function checksView(checks: readonly Diagnosis[]): View {
  const rows = checks.map(({ name, status, detail }) => [status, name, detail.replaceAll("\n", "; ")]);
  const hints = checks.flatMap(({ name, hint }) => (hint === null ? [] : [`${name}: ${hint}`]));
  return [table(["", "check", "found"], rows, ""), ...(hints.length > 0 ? [text("Hints:", ...hints)] : [])];
}
