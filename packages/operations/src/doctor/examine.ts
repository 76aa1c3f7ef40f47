import { randomUUID } from "node:crypto";

import { Checklist, finding, type Diagnosis, type LedgerEntry, type Strategy } from "@ovault/contract";

import { Installation } from "../installation/installation.ts";
import { findLeftovers } from "../leftovers/leftovers.ts";
import { preferredStrategy } from "../select/choose-strategy.ts";
import { findLeftServers } from "../serve/server-directory.ts";
import { checkDestination } from "./check-destination.ts";
import { checkIncrements } from "./check-increments.ts";
import { checkLeftovers } from "./check-leftovers.ts";
import { checkLedger } from "./check-ledger.ts";
import { checkNames } from "./check-names.ts";
import { checkSnapshots } from "./check-snapshots.ts";
import { checkStrategies } from "./check-strategies.ts";
import { noteWaits, type DoctorContext } from "./doctor-context.ts";

/** Checks every manager and destination of the configuration. Returns failures instead of throwing them. */
export async function examine(context: DoctorContext): Promise<readonly Diagnosis[]> {
  const { signal } = context;
  const list = new Checklist(signal);
  await using installation = await Installation.open(context);
  const { configuration } = installation;
  await list.run("configuration", async () => finding.ok(configuration.file));
  for (const name of configuration.destinations.keys()) await checkDestination(installation, name, list, signal);
  await checkLedger(installation, list);
  const findServers = () => findLeftServers(installation);
  await checkLeftovers(installation, { place: "servers of points", find: findServers }, list, context);
  for (const name of configuration.managers.keys()) await checkManager(installation, name, list, context);
  return list.checks;
}

async function checkManager(
  installation: Installation,
  name: string,
  list: Checklist,
  context: DoctorContext,
): Promise<void> {
  const { signal } = context;
  const opened = await list.run(`${name}: settings`, async () => {
    const { kind } = await installation.manager(name);
    return finding.ok(`kind ${kind}; secret and CA found`);
  });
  if (!opened) return;
  const manager = await installation.manager(name);
  const { checks, usable } = (await manager.diagnose?.(signal)) ?? { checks: [], usable: true };
  list.add(name, checks);
  if (!usable) return;
  let strategies: readonly Strategy[] | undefined;
  await list.runAll(`${name}: strategies`, async () => {
    strategies = await installation.strategies(manager);
    return [];
  });
  if (strategies === undefined) return;
  await checkStrategies(strategies, manager, list, context);
  await checkIncrements(installation, manager, list, signal);
  await checkNames(installation, manager, list, signal);
  const find = () => findLeftovers(installation, manager, signal, noteWaits(context));
  const findElsewhere = async (): Promise<readonly LedgerEntry[]> => {
    const { elsewhere } = await (await installation.ledger()).report();
    return elsewhere.filter((entry) => installation.managerNames.presentNameOf(entry.manager) === name);
  };
  await checkLeftovers(installation, { place: name, find, findElsewhere }, list, context);
  await checkSnapshots(installation, manager, list, context);
  const proveDataPath = manager.proveDataPath?.bind(manager);
  if (proveDataPath === undefined) return;
  const strategy = preferredStrategy(strategies, manager).name;
  const ledger = await installation.ledger();
  const run = await ledger.forRun({ runId: randomUUID(), manager: name, strategy });
  try {
    await list.run(`${name}: rights and data path`, async () => proveDataPath(run, signal));
  } finally {
    await run.end();
  }
}
