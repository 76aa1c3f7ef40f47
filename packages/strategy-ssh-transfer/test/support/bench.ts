import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import type { EngineVersion, LabHostRequest, Product } from "@ovault/lab";
import type { SecretsHost } from "@ovault/ssh";
import { LabBench, LabSite, never, WEB_DISKS } from "@ovault/testkit-ovirt";

import { SshTransferStrategy, type SshTransferOptions } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

export { never, type Taken } from "@ovault/testkit-ovirt";

/** The shell that watches a script on a host ends some seconds after it. */
const GUARD = /^hostProcesses: (\/bin\/sh -c p=|sleep |(timeout \d+ )?(\/bin\/)?sh -c read )/;

export interface BenchOptions {
  readonly engineVersion?: EngineVersion;
  readonly product?: Product;
  readonly down?: boolean;
  /** Settings of `lab-host`. */
  readonly ssh?: LabHostRequest["ssh"];
  /** Names of further hosts. */
  readonly hosts?: readonly string[];
  /** Names of further storage domains. */
  readonly storageDomains?: readonly string[];
}

/** The strategy on a machine whose disks are `WEB_DISKS`, on `lab-host`. */
export class Bench extends LabBench<SshTransferStrategy> {
  static async open({
    engineVersion,
    product,
    down = false,
    ssh,
    hosts = [],
    storageDomains = [],
  }: BenchOptions = {}): Promise<Bench> {
    const inventory = {
      hosts: [{ name: "lab-host", ssh }, ...hosts.map((name) => ({ name }))],
      storageDomains: storageDomains.map((name) => ({ name })),
    };
    const machines = [{ name: "web", disks: WEB_DISKS, down, host: "lab-host" }];
    const site = await LabSite.open({ engineVersion, product, machines, inventory });
    return new Bench(site, strategyOn(site, {}));
  }

  strategyWith(options: Partial<SshTransferOptions>): SshTransferStrategy {
    return strategyOn(this.site, options);
  }

  /** Makes a snapshot of `web`, as a person does. Resolves to its id. */
  async snapshot(description: string): Promise<string> {
    const { snapshots } = this.manager.api;
    const vmId = this.idOf("web");
    const { id } = await snapshots.create(vmId, { description }, never);
    while ((await snapshots.find(vmId, id, never))?.status !== "ok") await sleep(10);
    return id;
  }

  override underTest(strategy = this.strategy): ReturnType<LabBench<SshTransferStrategy>["underTest"]> {
    const leftovers = async (): Promise<readonly string[]> => (await this.left()).filter((one) => !GUARD.test(one));
    return { ...super.underTest(strategy), leftovers };
  }

  /** Signals what serves disks of this bench. */
  async signalServers(signal: NodeJS.Signals): Promise<void> {
    const storage = this.lab.dataCenters;
    for (const id of (await readdir("/proc")).map(Number)) {
      // Processes come and go.
      const line = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
      if (line.startsWith("qemu-nbd\0") && line.includes(storage)) process.kill(id, signal);
    }
  }
}

/** The strategy on a lab, with its options for the lab's own hosts, and with secrets in files. */
export function strategyOn(site: LabSite, options: Partial<SshTransferOptions>): SshTransferStrategy {
  const { manager, sshOptions } = site;
  return new SshTransferStrategy(manager, { ...optionsSchema.parse(sshOptions), ...options }, secretsOf(site));
}

/** Secrets in files, and no others. */
export function secretsOf({ directory }: LabSite): SecretsHost {
  return {
    baseDirectory: directory,
    secret: async (reference) => {
      if (!("file" in reference)) throw new Error("the bench has secrets in files only");
      return await readFile(reference.file, "utf8");
    },
  };
}
