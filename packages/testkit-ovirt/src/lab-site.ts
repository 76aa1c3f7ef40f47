import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { FileLedger, type Ledger } from "@ovault/core";
import { startLab, type Lab, type LabOptions, type LabVmRequest } from "@ovault/lab";
import { OvirtManager } from "@ovault/ovirt";

const run = promisify(execFile);
const MIB = 1024 * 1024;

/** A disk of a machine in the lab, made with `qemu-img` and filled with `qemu-io`. */
export interface SiteDisk {
  readonly format: "qcow2" | "raw";
  readonly bytes: number;
  /** Commands of `qemu-io`, e.g. `write -P 0x11 1M 2M`. */
  readonly writes: readonly string[];
  /** The same for a layer below it: that of the machine's template. QCOW2 only. */
  readonly below?: readonly string[];
}

/** A machine that exists when the lab starts. */
export interface SiteMachine extends Omit<LabVmRequest, "images"> {
  readonly disks: readonly SiteDisk[];
}

/** `web_Disk1` (16 MiB, QCOW2) and `web_Disk2` (8 MiB and a bit, raw). */
export const WEB_DISKS: readonly SiteDisk[] = [
  { format: "qcow2", bytes: 16 * MIB, writes: ["write -P 0x11 1M 2M", "write -P 0x12 9M 64k"] },
  { format: "raw", bytes: 8 * MIB + 512, writes: ["write -P 0x21 3M 1M"] },
];

export interface LabSiteOptions extends Pick<
  LabOptions,
  "engineVersion" | "product" | "inventory" | "blockStorage" | "staging" | "delayMs"
> {
  /** The bench backs up the one named `web`. */
  readonly machines: readonly SiteMachine[];
}

export interface SshOptions {
  /** `privateKey` is the path of a file. */
  readonly login: { readonly user: string; readonly privateKey: string };
  /** What hosts have at /rhev/data-center. */
  readonly dataCenterDirectory: string;
}

/** A lab in a temporary directory, with managers of its engine and an empty ledger. */
export class LabSite {
  readonly directory: string;
  readonly lab: Lab;
  readonly manager: OvirtManager;
  /** The same engine, with short waits for locked resources. */
  readonly hasty: OvirtManager;
  readonly ledger: Ledger;

  private constructor(directory: string, lab: Lab, ledger: Ledger, managers: readonly [OvirtManager, OvirtManager]) {
    this.directory = directory;
    this.lab = lab;
    this.ledger = ledger;
    [this.manager, this.hasty] = managers;
  }

  static async open({ machines, ...options }: LabSiteOptions): Promise<LabSite> {
    const directory = await mkdtemp(join(tmpdir(), "ovault-bench-"));
    const vms: LabVmRequest[] = [];
    for (const { disks, ...machine } of machines) {
      const images: string[] = [];
      for (const [index, disk] of disks.entries()) {
        images.push(await makeDisk(disk, join(directory, `${machine.name}-${index}.${disk.format}`)));
      }
      vms.push({ ...machine, images });
    }
    const lab = await startLab({ delayMs: 1, ...options, directory: join(directory, "lab"), vms });
    const managers = [await managerOf(lab, OvirtManager), await managerOf(lab, OvirtManager, 100)] as const;
    return new LabSite(directory, lab, await FileLedger.open(join(directory, "ledger")), managers);
  }

  /**
   * How to log in to every host, and where hosts see the storage: options of a strategy that reads over SSH.
   * @throws Error where this machine has no sshd
   */
  get sshOptions(): SshOptions {
    const { hosts, loginKey, dataCenters } = this.lab;
    const user = hosts.find(({ ssh }) => ssh !== undefined)?.ssh?.user;
    if (user === undefined) throw new Error("the lab's hosts have no SSH: install openssh-server");
    return { login: { user, privateKey: loginKey }, dataCenterDirectory: dataCenters };
  }

  /** Another manager of the same engine, of this class. The caller closes it. */
  managerOf<M extends OvirtManager>(
    kind: new (...parameters: ConstructorParameters<typeof OvirtManager>) => M,
  ): Promise<M> {
    return managerOf(this.lab, kind);
  }

  async close(): Promise<void> {
    await this.manager.close();
    await this.hasty.close();
    await this.lab.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function makeDisk({ format, bytes, writes, below }: SiteDisk, path: string): Promise<string> {
  const base = `${path}.base`;
  if (below !== undefined) await makeDisk({ format, bytes, writes: below }, base);
  const backing = below === undefined ? [] : ["-b", base, "-F", format];
  await run("qemu-img", ["create", "-q", "-f", format, ...backing, path, String(bytes)]);
  const commands = writes.flatMap((write) => ["-c", write]);
  if (commands.length > 0) await run("qemu-io", ["-f", format, ...commands, path]);
  return path;
}

async function managerOf<M extends OvirtManager>(
  { url, user, password, caFile }: Lab,
  kind: new (...parameters: ConstructorParameters<typeof OvirtManager>) => M,
  conflictDeadlineMs = 120_000,
): Promise<M> {
  const trust = { ca: [await readFile(caFile, "utf8")] };
  return new kind("lab", { url, user, password, trust, timings: { pollMs: 10, inFlightMs: 500, conflictDeadlineMs } });
}
