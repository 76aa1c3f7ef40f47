import { FileLedger } from "@ovault/core";
import { sshServer, SshSession, type ServerSettings } from "@ovault/ssh";

import { probeTools } from "../../src/hosts/host-tools.ts";
import { Hypervisor } from "../../src/hosts/hypervisor.ts";
import type { NetcatOptions } from "../../src/netcat/netcat-options.ts";
import { ServedVolume } from "../../src/serving/served-volume.ts";

/** Plain data, so that another process can do it. */
export interface DiskToServe {
  readonly settings: ServerSettings;
  readonly ledgerDirectory: string;
  /** A raw file. */
  readonly image: string;
  readonly netcat: NetcatOptions;
}

export interface ServedDisk extends AsyncDisposable {
  readonly hypervisor: Hypervisor;
  readonly served: ServedVolume;
  readonly warnings: readonly string[];
}

const HOST = {
  id: "00000000-0000-4000-8000-000000000001",
  name: "kvm1",
  address: "127.0.0.1",
  status: "up",
  clusterId: undefined,
  sshPort: undefined,
  sshFingerprint: undefined,
  sshPublicKey: undefined,
  activeVms: 0,
  spmStatus: undefined,
  version: undefined,
};

export async function openHypervisor(settings: ServerSettings): Promise<Hypervisor> {
  const { signal } = new AbortController();
  const session = await SshSession.open(await sshServer(settings, 30_000), signal);
  return new Hypervisor(HOST, session, await probeTools(session, signal));
}

/** A disk that a host serves through netcat, as a backup opens it. */
export async function serveDisk({ settings, ledgerDirectory, image, netcat }: DiskToServe): Promise<ServedDisk> {
  const { signal } = new AbortController();
  const hypervisor = await openHypervisor(settings);
  const ledger = await FileLedger.open(ledgerDirectory);
  const run = await ledger.forRun({ runId: "run-1", manager: "lab", strategy: "ssh-transfer" });
  const warnings: string[] = [];
  const served = await ServedVolume.open(
    hypervisor,
    { layers: [{ path: image, format: "raw", onBlock: false }], access: "read" },
    {
      title: "disk web_Disk1",
      detail: {},
      ledger: run,
      connections: 2,
      timeoutMs: 30_000,
      netcat: { options: netcat, onFailure: (why) => warnings.push(why) },
    },
    signal,
  );
  return {
    hypervisor,
    served,
    warnings,
    async [Symbol.asyncDispose]() {
      await served.close();
      await run.end();
      await hypervisor.session.close();
    },
  };
}
