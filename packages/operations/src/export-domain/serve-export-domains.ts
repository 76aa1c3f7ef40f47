import { createHash } from "node:crypto";

import { messageOf } from "@ovault/contract";
import { LocalFileSystem, NfsServer, type NfsExport } from "@ovault/nfs";
import { hostsOfDataCenter, ovirtManager } from "@ovault/ovirt";
import { assertClaim, stagingPlaces, type StagingOptions, VDSM } from "@ovault/strategy-export-domain";

import type { Installation } from "../installation/installation.ts";
import type { OperationContext } from "../operation-context.ts";
import { addressesOf, ownAddresses } from "./addresses-of-hosts.ts";
import { exportSites } from "./export-site.ts";
import { makeFolder } from "./make-folder.ts";
import { stagingOf } from "./staging-of.ts";

export interface ServeOptions {
  readonly manager?: string | undefined;
  /** Names; empty: all of ovault.yaml. */
  readonly dataCenters: readonly string[];
  /** Of this machine. Default: all of them. */
  readonly address?: string | undefined;
  /** Default 2049. */
  readonly port?: number | undefined;
  /** Addresses and networks that may connect, beside those of this machine. Default: the engine's hosts. */
  readonly allow: readonly string[];
}

/** A server of the folders of ovault.yaml, until it is closed. */
export interface ServedExports extends AsyncDisposable {
  readonly port: number;
  readonly folders: readonly string[];
  /** Who may connect. */
  readonly allowed: readonly string[];
}

const NFS_PORT = 2049;

/**
 * Serves the folder of each data center over NFSv3, under its own path, in place of the kernel's NFS server. Whoever
 * connects from an allowed address can read and change all of it.
 *
 * @throws NfsServerError; UsageError when ovault.yaml names no folder
 */
export async function serveExportDomains(
  installation: Installation,
  options: ServeOptions,
  { signal, reporter }: Pick<OperationContext, "signal" | "reporter">,
): Promise<ServedExports> {
  const staging = await stagingOf(installation.configuration);
  const { folders, clients } = await wanted(installation, staging, options, signal);
  /** In the order in which they were opened. */
  const opened: AsyncDisposable[] = [];
  const close = async (): Promise<void> => {
    for (const one of opened.toReversed()) await one[Symbol.asyncDispose]();
  };
  try {
    const exports: NfsExport[] = [];
    for (const folder of folders) {
      await assertClaim(folder, installation.configuration.stateDirectory);
      await makeFolder(folder, staging.staging);
      const files = await LocalFileSystem.open(folder, { owner: VDSM });
      opened.push(files);
      exports.push({ files, fileSystemId: idOf(folder), path: folder });
    }
    const [first, ...others] = exports;
    if (first === undefined) throw new Error("no folders");
    const allowed = [...new Set([...clients, ...ownAddresses()])];
    const server = await NfsServer.listen({
      ...first,
      others,
      allow: allowed,
      ...(options.address !== undefined && { host: options.address }),
      port: options.port ?? NFS_PORT,
      onError: (error) => reporter.warn(`NFS: ${messageOf(error)}`),
    });
    opened.push(server);
    return { port: server.port, folders, allowed: clients, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The engine is asked only where the answer counts: a node that starts again may be up before its engine. */
async function wanted(
  installation: Installation,
  staging: StagingOptions,
  { manager, dataCenters, allow }: ServeOptions,
  signal: AbortSignal,
): Promise<{ readonly folders: readonly string[]; readonly clients: readonly string[] }> {
  if (allow.length > 0 && dataCenters.length === 0) {
    return { folders: stagingPlaces(staging).map(({ folder }) => folder), clients: allow };
  }
  const { api } = ovirtManager(await installation.manager(manager));
  const sites = await exportSites(api, staging, dataCenters, signal);
  const folders = sites.map(({ place }) => place.folder);
  if (allow.length > 0) return { folders, clients: allow };
  const hosts = await Promise.all(sites.map(({ dataCenter }) => hostsOfDataCenter(api, dataCenter.id, signal)));
  return { folders, clients: await addressesOf(api, hosts.flat(), signal) };
}

/** The same after a restart, for the same folder. */
function idOf(folder: string): bigint {
  return createHash("sha256").update(folder).digest().readBigUInt64BE();
}
