import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { EngineVersion } from "@ovault/lab";
import { OpenSshServer, type ServerOptions } from "@ovault/test-support/open-ssh-server";
import { LabBench, LabSite, never, WEB_DISKS } from "@ovault/testkit-ovirt";

import { SshTransferStrategy, type SshTransferOptions } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

export { never, type Taken } from "@ovault/testkit-ovirt";

export interface BenchOptions {
  readonly engineVersion?: EngineVersion;
  readonly down?: boolean;
  readonly sshd?: ServerOptions;
}

/** The strategy on a machine whose disks are `WEB_DISKS`, with an SSH server for the lab's host. */
export class Bench extends LabBench<SshTransferStrategy> {
  readonly server: OpenSshServer;
  readonly options: SshTransferOptions;

  private constructor(site: LabSite, server: OpenSshServer, options: SshTransferOptions) {
    super(site, strategyOn(site, options));
    this.server = server;
    this.options = options;
  }

  static async open({ engineVersion, down = false, sshd = {} }: BenchOptions = {}): Promise<Bench> {
    const site = await LabSite.open({ engineVersion, machines: [{ name: "web", disks: WEB_DISKS, down }] });
    const server = await OpenSshServer.start(sshd);
    const { infrastructure } = site.manager.api;
    const dataCenterDirectory = await mkdtemp(join(tmpdir(), "ovault-data-center-"));
    for (const { id, dataCenterIds } of await infrastructure.storageDomains(never)) {
      for (const dataCenterId of dataCenterIds) {
        await mkdir(join(dataCenterDirectory, dataCenterId), { recursive: true });
        await symlink(join(site.directory, "lab/storage", id), join(dataCenterDirectory, dataCenterId, id));
      }
    }
    const host = {
      address: "127.0.0.1",
      port: server.port,
      user: server.user,
      privateKey: join(server.home, "user"),
      hostKey: await server.fingerprint(),
    };
    return new Bench(site, server, optionsSchema.parse({ dataCenterDirectory, hosts: { "lab-host": host } }));
  }

  strategyWith(options: Partial<SshTransferOptions>): SshTransferStrategy {
    return strategyOn(this.site, { ...this.options, ...options });
  }

  /** Makes a snapshot of `web`, as a person does. Resolves to its id. */
  async snapshot(description: string): Promise<string> {
    const { snapshots } = this.manager.api;
    const vmId = this.idOf("web");
    const { id } = await snapshots.create(vmId, { description }, never);
    while ((await snapshots.find(vmId, id, never))?.status !== "ok") await sleep(10);
    return id;
  }

  /** Ids of the processes that serve disks of this bench. */
  async processes(): Promise<readonly number[]> {
    const found: number[] = [];
    for (const id of await readdir("/proc")) {
      // Processes come and go.
      const line = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
      if (line.startsWith("qemu-nbd\0") && line.includes(this.options.dataCenterDirectory)) found.push(Number(id));
    }
    return found;
  }

  /** Kills what serves disks of this bench. */
  async killProcesses(): Promise<void> {
    for (const id of await this.processes()) process.kill(id, "SIGKILL");
  }

  /** Also what is left on the host. */
  override async left(...machines: readonly string[]): Promise<readonly string[]> {
    const processes = await this.processes();
    return [...(await super.left(...machines)), ...processes.map((id) => `process: ${id}`)];
  }

  override async close(): Promise<void> {
    await super.close();
    await this.server.stop();
    await rm(this.options.dataCenterDirectory, { recursive: true });
  }
}

function strategyOn({ manager, directory }: LabSite, options: SshTransferOptions): SshTransferStrategy {
  return new SshTransferStrategy(manager, options, {
    baseDirectory: directory,
    secret: async (reference) => {
      if (!("file" in reference)) throw new Error("the bench has secrets in files only");
      return await readFile(reference.file, "utf8");
    },
  });
}
