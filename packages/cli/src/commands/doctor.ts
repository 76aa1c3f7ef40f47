import { randomUUID } from "node:crypto";

import { UsageError } from "@ovault/contract";
import { Installation, preferredStrategy } from "@ovault/operations";
import { OvirtManager } from "@ovault/ovirt";

import { examples, type CommandContext, type Define } from "../command.ts";
import { checkDestination } from "../doctor/check-destination.ts";
import { checkDataPorts, checkEngine, checkIncremental } from "../doctor/check-engine.ts";
import { checkLedger, checkLeftovers, type Fix } from "../doctor/check-leftovers.ts";
import { checkStrategies } from "../doctor/check-strategies.ts";
import { checkTransfer } from "../doctor/check-transfer.ts";
import { checkNames } from "../doctor/check-names.ts";
import { checkSnapshots } from "../doctor/check-snapshots.ts";
import { Checklist, ok, type Check } from "../doctor/checklist.ts";
import { EXIT } from "../exit.ts";
import { table, text, type View } from "../output/view.ts";

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
        const checks = await examine(context, options);
        const failed = checks.some(({ status }) => status === "fail");
        return { data: checks, view: checksView(checks), exitCode: failed ? EXIT.findings : EXIT.ok };
      }),
    );
};

/** Looks at every manager and destination of the configuration. What fails is in the result, not thrown. */
export async function examine(context: CommandContext, { fix, yes }: DoctorOptions): Promise<readonly Check[]> {
  if (yes === true && fix !== true) throw new UsageError("--yes is for --fix");
  const { signal } = context;
  const list = new Checklist(signal);
  await using installation = await Installation.open(context);
  const { configuration } = installation;
  await list.run("configuration", async () => ok(configuration.file));
  for (const name of configuration.destinations.keys()) await checkDestination(installation, name, list, signal);
  await checkLedger(installation, list);
  const mode: Fix = fix !== true ? "show" : yes === true ? "remove" : "ask";
  for (const name of configuration.managers.keys()) await checkManager(installation, name, list, context, mode);
  return list.checks;
}

async function checkManager(
  installation: Installation,
  name: string,
  list: Checklist,
  context: CommandContext,
  fix: Fix,
): Promise<void> {
  const { signal } = context;
  const opened = await list.run(`${name}: settings`, async () => {
    const { kind } = await installation.manager(name);
    return ok(`kind ${kind}; secret and CA found`);
  });
  if (!opened) return;
  const manager = await installation.manager(name);
  if (manager instanceof OvirtManager) {
    if (!(await checkEngine(manager, list, signal))) return;
    await checkDataPorts(manager, list, signal);
    await checkIncremental(manager, list, signal);
  }
  const strategies = await installation.strategies(manager);
  await checkStrategies(strategies, manager, list, signal);
  await checkNames(installation, manager, list, signal);
  await checkLeftovers(installation, manager, list, context, fix);
  if (!(manager instanceof OvirtManager)) return;
  await checkSnapshots(installation, manager, list, context, fix);
  const strategy = preferredStrategy(strategies, manager).name;
  const ledger = await installation.ledger();
  const run = await ledger.forRun({ runId: randomUUID(), manager: name, strategy });
  try {
    await checkTransfer(manager, list, run, signal);
  } finally {
    await run.end();
  }
}

function checksView(checks: readonly Check[]): View {
  const rows = checks.map(({ name, status, detail }) => [status, name, detail.replaceAll("\n", "; ")]);
  const hints = checks.flatMap(({ name, hint }) => (hint === null ? [] : [`${name}: ${hint}`]));
  return [table(["", "check", "found"], rows, ""), ...(hints.length > 0 ? [text("Hints:", ...hints)] : [])];
}
