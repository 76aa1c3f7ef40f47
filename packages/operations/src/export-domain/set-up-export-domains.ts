import { hostsOfDataCenter, ovirtManager, type EngineApi, type Host, type StorageDomain } from "@ovault/ovirt";
import { claimFolder, ExportDomainError, openStaging, proveShare } from "@ovault/strategy-export-domain";

import type { Installation } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { addressTowards } from "./address-towards.ts";
import { clientsOf, hostThatIsUp } from "./addresses-of-hosts.ts";
import { exportSites, type ExportSite } from "./export-site.ts";
import { findRegistered } from "./find-registered.ts";
import { findShare, type Share } from "./find-share.ts";
import { makeFolder } from "./make-folder.ts";
import { registerDomain } from "./register-domain.ts";
import { stagingOf } from "./staging-of.ts";
import { stepByStep } from "./step-by-step.ts";

export interface SetUpOptions {
  readonly manager?: string | undefined;
  /** Names; empty: all of ovault.yaml. */
  readonly dataCenters: readonly string[];
  /** Of this node, as hosts reach it. Default: the one that the host sees. */
  readonly address?: string | undefined;
  /** Where `serveExportDomains` listens. Default: what the portmapper says, else 2049. */
  readonly port?: number | undefined;
}

/** An export domain that a data center has now. */
export interface ExportDomainSetUp {
  readonly dataCenter: string;
  readonly exportDomain: string;
  readonly id: string;
  readonly folder: string;
  readonly address: string;
  readonly path: string;
  readonly mountOptions: string | null;
  /** Steps that were carried out, in order; empty when all was there. */
  readonly done: readonly string[];
}

/**
 * Gives each data center its export domain: folder, registration, attachment, activation. It may end between any two
 * steps; the next call goes on. What is there already is left alone.
 *
 * @throws ExportDomainError, StagingError for what is in the way; nothing is registered before the export was proved by
 *   a write through it
 */
export async function setUpExportDomains(
  installation: Installation,
  options: SetUpOptions,
  context: Pick<OperationContext, "signal" | "reporter">,
): Promise<readonly ExportDomainSetUp[]> {
  const { signal } = context;
  const staging = await stagingOf(installation.configuration);
  const manager = ovirtManager(await installation.manager(options.manager));
  const { api } = manager;
  if ((await manager.capabilities(signal)).backups) context.reporter.warn(BETTER_WAYS);
  const results: ExportDomainSetUp[] = [];
  for (const site of await exportSites(api, staging, options.dataCenters, signal)) {
    const { stateDirectory } = installation.configuration;
    results.push(await setUp(api, site, { ...options, stateDirectory, parent: staging.staging }, context));
  }
  return results;
}

const BETTER_WAYS =
  "this engine has the backup API, and export domains, deprecated since 4.1, are not tried with it: " +
  "changed-block-tracking and image-transfer copy less and need no export domain";

/** Of an attached domain that can be activated. An administrator may have put it into maintenance. */
const INACTIVE = ["maintenance", "inactive"];

interface SiteOptions extends SetUpOptions {
  readonly stateDirectory: string;
  readonly parent: string | undefined;
}

async function setUp(
  api: EngineApi,
  site: ExportSite,
  options: SiteOptions,
  { signal, reporter }: Pick<OperationContext, "signal" | "reporter">,
): Promise<ExportDomainSetUp> {
  const { dataCenter, place } = site;
  const { folder } = place;
  const done: string[] = [];
  const did = (step: string): void => {
    done.push(step);
    reporter.note(`${dataCenter.name}: ${step}`);
  };
  const hosts = await hostsOfDataCenter(api, dataCenter.id, signal);
  const host = hostThatIsUp(hosts, dataCenter);
  const { name, domain } = await findRegistered(api, site, signal);
  if (await makeFolder(folder, options.parent)) did(`made the folder ${folder}`);
  await claimFolder(folder, options.stateDirectory);
  const share = await shareOf(folder, domain, host, options, signal);
  await proveShare(share, folder, { clients: await clientsOf(hosts, share.address), signal });
  const wanted = { name, share, host };
  const { domain: ready } = await stepByStep(
    () => findRegistered(api, site, signal),
    ({ domain: known }, state) => {
      if (known === undefined) {
        return async () => {
          await registerDomain(api, site, wanted, signal);
          did(`registered the export domain ${name}`);
        };
      }
      if (state === "active") return "done";
      if (state === "unattached") {
        return async () => {
          await api.storageDomains.attach(dataCenter.id, known.id, signal);
          did(`attached it to data center ${dataCenter.name}`);
        };
      }
      if (!INACTIVE.includes(state)) return undefined;
      return async () => {
        await api.storageDomains.activate(dataCenter.id, known.id, signal);
        did("activated it");
      };
    },
    signal,
  );
  const { id = "" } = ready ?? {};
  await using _ = await openStaging(folder, id);
  const { address, path, mountOptions } = share;
  return {
    dataCenter: dataCenter.name,
    exportDomain: name,
    id,
    folder,
    address,
    path,
    mountOptions: mountOptions ?? null,
    done,
  };
}

/** Where the engine knows the domain, hosts mount it from there. @throws ExportDomainError when another place is wanted */
async function shareOf(
  folder: string,
  domain: StorageDomain | undefined,
  host: Host,
  wanted: SetUpOptions,
  signal: AbortSignal,
): Promise<Share> {
  if (domain === undefined) {
    const address = wanted.address ?? (await addressTowards(host.address ?? host.name));
    return await findShare({ address, path: folder, port: wanted.port }, signal);
  }
  const { address = "?", path = folder, mountOptions = "" } = domain;
  const port = /(?:^|,)port=(\d+)/.exec(mountOptions)?.[1];
  const known = { address, port: port === undefined ? undefined : Number(port) };
  for (const what of ["address", "port"] as const) {
    if (wanted[what] === undefined || wanted[what] === known[what]) continue;
    const registered = known[what] === undefined ? "the default one" : known[what];
    throw new ExportDomainError(`${domain.name} is registered with ${what} ${registered}, not ${wanted[what]}`, {
      context: { storageDomain: domain.id },
      hint: "`ovault export-domain remove` takes it away; then set it up anew.",
    });
  }
  return await findShare({ address, path, port: known.port }, signal);
}
