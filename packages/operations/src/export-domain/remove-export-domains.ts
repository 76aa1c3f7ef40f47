import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { plural, systemErrorCode } from "@ovault/contract";
import {
  hostsOfDataCenter,
  ovirtManager,
  type DataCenter,
  type EngineApi,
  type Host,
  type StorageDomain,
} from "@ovault/ovirt";
import { FileDomain } from "@ovault/storage-domain";
import { assertNoTurns, claimFolder, ExportDomainError, releaseFolder } from "@ovault/strategy-export-domain";

import type { Installation } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { hostThatIsUp } from "./addresses-of-hosts.ts";
import { exportSites, type ExportSite } from "./export-site.ts";
import { findRegistered, type RegisteredDomain } from "./find-registered.ts";
import { stagingOf } from "./staging-of.ts";
import { stepByStep } from "./step-by-step.ts";

export interface RemovalOptions {
  readonly manager?: string | undefined;
  /** Names; empty: all of ovault.yaml. */
  readonly dataCenters: readonly string[];
}

export interface ExportDomainRemoval {
  readonly dataCenter: string;
  readonly exportDomain: string;
  readonly folder: string;
  /** Steps that were carried out, in order; empty when there was no export domain. */
  readonly done: readonly string[];
}

/**
 * Takes the export domain of each data center away: maintenance, detachment, removal. It may end between any two steps;
 * the next call goes on. The folder stays.
 *
 * @throws ExportDomainError while machines or images lie in it, or runs of this node use it
 */
export async function removeExportDomains(
  installation: Installation,
  options: RemovalOptions,
  context: Pick<OperationContext, "signal" | "reporter">,
): Promise<readonly ExportDomainRemoval[]> {
  const staging = await stagingOf(installation.configuration);
  const manager = ovirtManager(await installation.manager(options.manager));
  const sites = await exportSites(manager.api, staging, options.dataCenters, context.signal);
  await assertNoRuns(installation, manager.name);
  const results: ExportDomainRemoval[] = [];
  for (const site of sites) {
    results.push(await remove(manager.api, site, installation.configuration.stateDirectory, context));
  }
  return results;
}

/** What runs of this node have made there must go first, and their ledger is the only one who knows all of it. */
async function assertNoRuns(installation: Installation, manager: string): Promise<void> {
  const ledger = await installation.ledger();
  const { active, abandoned } = await ledger.report();
  const own = ({ strategy, manager: of }: (typeof active)[number]): boolean =>
    strategy === "export-domain" && installation.managerNames.presentNameOf(of) === manager;
  const running = active.filter(own).length;
  const left = abandoned.filter(own).length;
  if (running + left === 0) return;
  throw new ExportDomainError(
    running > 0 ? "a backup or restore through the export domain is under way" : "an earlier run has left something",
    {
      context: { running, left },
      hint: running > 0 ? "Wait until it ends." : "`ovault doctor --fix` removes it.",
    },
  );
}

async function remove(
  api: EngineApi,
  site: ExportSite,
  stateDirectory: string,
  { signal, reporter }: Pick<OperationContext, "signal" | "reporter">,
): Promise<ExportDomainRemoval> {
  const { dataCenter, place } = site;
  const { folder } = place;
  const done: string[] = [];
  const look = (): Promise<RegisteredDomain> => findRegistered(api, site, signal);
  const { name, domain: first } = await look();
  if (first !== undefined) {
    await claimFolder(folder, stateDirectory);
    // Also of an installation that has not claimed it, and whose ledger is another one.
    await assertNoTurns(folder);
    const host = hostThatIsUp(await hostsOfDataCenter(api, dataCenter.id, signal), dataCenter);
    const steps = stepsOf(api, dataCenter, host, signal);
    await stepByStep(
      look,
      ({ domain }, state) => {
        if (domain === undefined) return "done";
        const step = steps.get(state);
        return (
          step &&
          (async () => {
            // Once it is detached, no engine writes there any more: what is empty then stays empty.
            await assertEmpty(folder, domain);
            await step.ask(domain);
            done.push(step.title);
            reporter.note(`${dataCenter.name}: ${step.title}`);
          })
        );
      },
      signal,
    );
  }
  await releaseFolder(folder, stateDirectory);
  return { dataCenter: dataCenter.name, exportDomain: name, folder, done };
}

interface RemovalStep {
  /** For people, once it is done. */
  readonly title: string;
  ask(domain: StorageDomain): Promise<void>;
}

/** What brings a domain nearer to its end, by its state. */
function stepsOf(
  { storageDomains }: EngineApi,
  dataCenter: DataCenter,
  host: Host,
  signal: AbortSignal,
): ReadonlyMap<string, RemovalStep> {
  const deactivation: RemovalStep = {
    title: "put the export domain into maintenance",
    ask: ({ id }) => storageDomains.deactivate(dataCenter.id, id, signal),
  };
  const detachment: RemovalStep = {
    title: `detached it from data center ${dataCenter.name}`,
    ask: ({ id }) => storageDomains.detach(dataCenter.id, id, signal),
  };
  const removal: RemovalStep = {
    title: "removed it from the engine",
    ask: ({ id }) => storageDomains.remove(id, { hostId: host.id, format: true }, signal),
  };
  return new Map([
    ["active", deactivation],
    ["inactive", deactivation],
    ["maintenance", detachment],
    ["unattached", removal],
  ]);
}

/**
 * The host deletes the whole tree with the domain, and nothing tells whose a machine in it is.
 * @throws ExportDomainError
 */
async function assertEmpty(folder: string, { id, name }: StorageDomain): Promise<void> {
  await using domain = await FileDomain.open(folder, id);
  const images = (await domain.imageIds()).length;
  const machines = (await namesIn(join(folder, id, "master", "vms"))).length;
  if (images + machines === 0) return;
  const lie = [
    ...(machines > 0 ? [plural(machines, "machine")] : []),
    ...(images > 0 ? [plural(images, "disk image")] : []),
  ].join(" and ");
  throw new ExportDomainError(`export domain ${name} is not empty: ${lie}`, {
    context: { storageDomain: id, machines, images },
    hint: `Import or remove them in the manager first (Storage, ${name}, VM Import). Images that no machine there has lie in ${folder}/${id}/images.`,
  });
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    // Hosts make it when they attach the domain.
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  }
}
