import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { createRunHooks, type RunContext } from "@ovault/contract";
import type { EngineVersion, Product } from "@ovault/lab";
import { snapshotForBackup } from "@ovault/ovirt";
import { LabBench, LabSite, never, type SiteDisk } from "@ovault/testkit-ovirt";

import { Attachment, type AttachRequest } from "../../src/attachment.ts";
import { DiskAttachmentStrategy, type DiskAttachmentOptions } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

export { differences, fillTarget, never, restoreRequest, sameBytes, type Taken } from "@ovault/testkit-ovirt";

const run = promisify(execFile);
const MIB = 1024 * 1024;

const DISKS: readonly SiteDisk[] = [
  { format: "qcow2", bytes: 8 * MIB, writes: ["write -P 0x11 1M 2M", "write -P 0x12 5M 64k"] },
  { format: "raw", bytes: 4 * MIB + 4096, writes: ["write -P 0x21 3M 1M"] },
];

export interface BenchOptions {
  readonly engineVersion?: EngineVersion;
  readonly product?: Product;
  readonly down?: boolean;
  readonly guestAgent?: boolean;
  /** Of the proxy VM. */
  readonly virtioScsi?: boolean;
}

/**
 * A lab with the virtual machine `web`, whose disks are `web_Disk1` (8 MiB, QCOW2) and `web_Disk2` (4 MiB and a bit, raw), and
 * the proxy VM `proxy`, which this process takes itself to run in.
 */
export class Bench extends LabBench<DiskAttachmentStrategy> {
  readonly devices = devicesOf(this.site);

  static async open(options: BenchOptions = {}): Promise<Bench> {
    const { engineVersion, product, down = false, guestAgent = true, virtioScsi = true } = options;
    const own: SiteDisk = { format: "qcow2", bytes: MIB, writes: [] };
    const machines = [
      { name: "web", disks: DISKS, down, guestAgent },
      { name: "proxy", disks: [own], devices: "devices", virtioScsi },
    ];
    const site = await LabSite.open({ engineVersion, product, machines });
    return new Bench(site, strategyOn(site));
  }

  strategyWith(options: Partial<DiskAttachmentOptions>, manager = this.manager): DiskAttachmentStrategy {
    return strategyOn(this.site, options, manager);
  }

  /** Devices of this "machine" beside its own disk. */
  async attachedDevices(): Promise<readonly string[]> {
    const own = this.lab.vms.find((one) => one.name === "proxy")?.disks[0]?.id ?? "";
    return (await readdir(this.devices)).filter((name) => !name.includes(own));
  }

  /** Takes a device away while it is being read. */
  async pull(device: string): Promise<void> {
    await run("umount", ["--force", "--lazy", join(this.devices, device)]);
  }

  /** What a dead run leaves: a snapshot whose disks are attached. A process that dies lets go of devices. */
  override async backupAndDie(): Promise<void> {
    const vm = await this.vm();
    await this.dyingRun(async (context) => {
      const request = { vm, disks: vm.disks, base: undefined, full: true, quiesce: "try", keepBase: false } as const;
      const { snapshot } = await snapshotForBackup(this.manager.api, request, context, optionsSchema.parse({}));
      for (const { id: diskId, alias, logicalBytes: bytes } of vm.disks) {
        const wanted = { diskId, alias, snapshotId: snapshot.id, bytes, access: "read" as const };
        await this.attachAndDie(wanted, context);
      }
    });
  }

  /** Leaves a disk attached, as a process that dies with its device open. */
  async attachAndDie(request: AttachRequest, { ledger }: Pick<RunContext, "ledger">): Promise<void> {
    const { api } = this.manager;
    const proxy = await api.vms.get(this.idOf("proxy"), {}, never);
    const site = { api, ledger, proxy, deviceDirectory: this.devices, timeoutMs: 60_000 };
    const { file } = await Attachment.open(request, site, never);
    await file.close();
  }

  /** Does something in a run that does not clean up. */
  async dyingRun(work: (context: RunContext) => Promise<void>): Promise<void> {
    const runId = randomUUID();
    const ledger = await this.ledger.forRun({ runId, manager: this.manager.name, strategy: this.strategy.name });
    await work({ runId, ledger, hooks: createRunHooks(), signal: never });
    await ledger.end();
  }

  /** Everything runs have left on the engine, in the ledger and on this machine, one text each. */
  override async left(...machines: readonly string[]): Promise<readonly string[]> {
    const devices = await this.attachedDevices();
    return [...(await super.left(...machines)), ...devices.map((name) => `device: ${name}`)];
  }
}

function strategyOn(
  site: LabSite,
  options: Partial<DiskAttachmentOptions> = {},
  manager = site.manager,
): DiskAttachmentStrategy {
  const own = { ...optionsSchema.parse({}), proxyVm: "proxy", deviceDirectory: devicesOf(site) };
  return new DiskAttachmentStrategy(manager, { ...own, ...options });
}

function devicesOf({ lab }: LabSite): string {
  return join(lab.directory, "devices");
}
