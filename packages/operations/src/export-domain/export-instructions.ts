import { hostsOfDataCenter, ovirtManager } from "@ovault/ovirt";
import { exportsLine } from "@ovault/strategy-export-domain";

import type { Installation } from "../installation/installation.ts";
import { clientsOf } from "./addresses-of-hosts.ts";
import { exportSites } from "./export-site.ts";
import { folderCommand } from "./make-folder.ts";
import type { SetUpOptions } from "./set-up-export-domains.ts";
import { stagingOf } from "./staging-of.ts";

/** What an administrator does before the kernel's NFS server exports the folder of a data center. */
export interface ExportInstructions {
  readonly dataCenter: string;
  readonly folder: string;
  /** The shell command that makes it. */
  readonly makeFolder: string;
  /** For `/etc/exports`. */
  readonly exportsLine: string;
}

/** The exports lines of the kernel's server for each data center. Changes nothing. */
export async function exportInstructions(
  installation: Installation,
  { manager, dataCenters, address }: SetUpOptions,
  signal: AbortSignal,
): Promise<readonly ExportInstructions[]> {
  const { api } = ovirtManager(await installation.manager(manager));
  const sites = await exportSites(api, await stagingOf(installation.configuration), dataCenters, signal);
  return await Promise.all(
    sites.map(async ({ dataCenter, place: { folder } }) => {
      const hosts = await hostsOfDataCenter(api, dataCenter.id, signal);
      const line = exportsLine({ folder, clients: await clientsOf(hosts, address) });
      return { dataCenter: dataCenter.name, folder, makeFolder: folderCommand(folder), exportsLine: line };
    }),
  );
}
