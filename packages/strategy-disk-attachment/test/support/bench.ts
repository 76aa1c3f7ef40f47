import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import {
  createRunHooks,
  type DiskTarget,
  type RestoreRequest,
  type RunContext,
  type VirtualMachine,
} from "@ovault/contract";
import { Ledger } from "@ovault/core";
import { startLab, type EngineVersion, type GuestWrite, type Lab, type Product } from "@ovault/lab";
import { holdMachine, OvirtManager } from "@ovault/ovirt";
import { takeBackup, type BackupBench, type OpenWishes, type TakenBackup } from "@ovault/testkit";

import { Attachment, type AttachRequest } from "../../src/attachment.ts";
import { DiskAttachmentStrategy, type DiskAttachmentOptions } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
const SETTLE_MS = 30_000;

export const never = new AbortController().signal;

/** A recovery point with the bytes of its disks, by disk id. */
export interface Taken extends TakenBackup {
  readonly warnings: readonly string[];
}

export interface BackupWishes extends Partial<OpenWishes> {
  /** Called when the session is open, before any disk is attached. */
  readonly whenOpen?: () => Promise<void>;
  /** The bench's own unless told. */
  readonly strategy?: DiskAttachmentStrategy;
}

export interface RestoreWishes {
  readonly strategy?: DiskAttachmentStrategy;
  readonly signal?: AbortSignal;
}

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
export class Bench {
  readonly lab: Lab;
  readonly manager: OvirtManager;
  /** The same engine, without patience for what is locked. */
  readonly hasty: OvirtManager;
  readonly strategy: DiskAttachmentStrategy;
  readonly ledger: Ledger;
  readonly devices: string;
  readonly #directory: string;

  private constructor(lab: Lab, managers: readonly [OvirtManager, OvirtManager], ledger: Ledger, directory: string) {
    this.lab = lab;
    [this.manager, this.hasty] = managers;
    this.devices = join(lab.directory, "devices");
    this.strategy = this.strategyWith({});
    this.ledger = ledger;
    this.#directory = directory;
  }

  static async open(options: BenchOptions = {}): Promise<Bench> {
    const directory = await mkdtemp(join(tmpdir(), "ovault-disk-attachment-"));
    const images = [join(directory, "one.qcow2"), join(directory, "two.raw")];
    const [one = "", two = ""] = images;
    await run("qemu-img", ["create", "-q", "-f", "qcow2", one, String(8 * MIB)]);
    await run("qemu-io", ["-f", "qcow2", "-c", "write -P 0x11 1M 2M", "-c", "write -P 0x12 5M 64k", one]);
    await run("qemu-img", ["create", "-q", "-f", "raw", two, String(4 * MIB + 4096)]);
    await run("qemu-io", ["-f", "raw", "-c", "write -P 0x21 3M 1M", two]);
    const own = join(directory, "own.qcow2");
    await run("qemu-img", ["create", "-q", "-f", "qcow2", own, String(MIB)]);
    const { engineVersion = "4.5", product = "ovirt", down = false, guestAgent = true, virtioScsi = true } = options;
    const lab = await startLab({
      directory: join(directory, "lab"),
      vms: [
        { name: "web", images, down, guestAgent },
        { name: "proxy", images: [own], devices: "devices", virtioScsi },
      ],
      engineVersion,
      product,
      delayMs: 1,
    });
    const trust = { ca: [await readFile(lab.caFile, "utf8")] };
    const managerWith = (conflictDeadlineMs: number): OvirtManager => {
      const { url, user, password } = lab;
      return new OvirtManager("lab", {
        url,
        user,
        password,
        trust,
        timings: { pollMs: 10, inFlightMs: 500, conflictDeadlineMs },
      });
    };
    const managers = [managerWith(120_000), managerWith(100)] as const;
    return new Bench(lab, managers, await Ledger.open(join(directory, "ledger")), directory);
  }

  async close(): Promise<void> {
    await this.manager.close();
    await this.hasty.close();
    await this.lab.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  strategyWith(options: Partial<DiskAttachmentOptions>, manager = this.manager): DiskAttachmentStrategy {
    const own = { ...optionsSchema.parse({}), proxyVm: "proxy", deviceDirectory: this.devices };
    return new DiskAttachmentStrategy(manager, { ...own, ...options });
  }

  async vm(name = "web"): Promise<VirtualMachine> {
    const vms = await this.manager.inventory(never);
    const vm = vms.find((one) => one.name === name);
    if (vm === undefined) throw new Error(`no virtual machine ${name}`);
    return vm;
  }

  /** Id of a machine, without asking the engine. */
  idOf(name: string): string {
    const vm = this.lab.vms.find((one) => one.name === name);
    if (vm === undefined) throw new Error(`no virtual machine ${name}`);
    return vm.id;
  }

  async write(disk: number, write: GuestWrite): Promise<void> {
    await this.lab.write("web", String(disk), write);
  }

  /** QEMU's own view of a disk. */
  async view(diskId: string): Promise<Buffer> {
    const path = join(this.#directory, `${randomUUID()}.raw`);
    await this.lab.view(diskId, path);
    const bytes = await readFile(path);
    await rm(path);
    return bytes;
  }

  async viewAll(name = "web"): Promise<Map<string, Buffer>> {
    const disks = this.lab.vms.find((one) => one.name === name)?.disks ?? [];
    const views = new Map<string, Buffer>();
    for (const { id } of disks) views.set(id, await this.view(id));
    return views;
  }

  /** Devices of this "machine" beside its own disk. */
  async attachedDevices(): Promise<readonly string[]> {
    const own = this.lab.vms.find((one) => one.name === "proxy")?.disks[0]?.id ?? "";
    return (await readdir(this.devices)).filter((name) => !name.includes(own));
  }

  /** Takes a device away from under whoever reads it. */
  async pull(device: string): Promise<void> {
    await run("umount", ["--force", "--lazy", join(this.devices, device)]);
  }

  /** As the kit wants it. */
  parts(strategy = this.strategy): BackupBench {
    return { strategy, ledger: this.ledger, vm: () => this.vm() };
  }

  /** Fails with everything the strategy cleaned up, like a run. */
  async backup({ whenOpen, strategy, ...wishes }: BackupWishes = {}): Promise<Taken> {
    const hooks = createRunHooks();
    const warnings: string[] = [];
    hooks.warning.tap("bench", (message) => warnings.push(message));
    const taken = await takeBackup(this.parts(strategy), { signal: never, hooks, ...wishes }, whenOpen);
    return { ...taken, warnings };
  }

  /** What a dead run leaves: a snapshot whose disks are attached. A process that dies lets go of devices. */
  async backupAndDie(): Promise<void> {
    const vm = await this.vm();
    await this.dyingRun(async (context) => {
      const request = { vm, disks: vm.disks, base: undefined, full: true, quiesce: "try", keepBase: false } as const;
      const { snapshot } = await holdMachine(this.manager.api, request, context, optionsSchema.parse({}));
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

  async restore(taken: TakenBackup, name: string, wishes: RestoreWishes = {}): Promise<void> {
    const { strategy = this.strategy, signal = never } = wishes;
    const { images } = taken;
    const request = restoreRequest(taken, name);
    const runId = randomUUID();
    const ledger = await this.ledger.forRun({ runId, manager: this.manager.name, strategy: strategy.name });
    try {
      const session = await strategy.openRestore(request, { runId, ledger, hooks: createRunHooks(), signal });
      try {
        for (const target of session.disks) await fill(target, images.get(target.diskId), signal);
        await session.commit();
      } catch (error) {
        await session.abort();
        throw error;
      }
    } finally {
      await ledger.end();
    }
  }

  /** As `doctor --fix` does it: what cannot be removed stays in the ledger. Returns what it said it would do. */
  async removeLeftovers(): Promise<string[]> {
    const leftovers = await this.strategy.leftovers(await this.ledger.abandoned(), never);
    for (const leftover of leftovers) {
      const removed = leftover.gone || (await succeeds(leftover.remove(never)));
      if (removed) await this.ledger.strike(leftover.entry);
    }
    return leftovers.map(({ action }) => action);
  }

  /** What is left when the engine has done what it was asked for. */
  async settled(...machines: readonly string[]): Promise<readonly string[]> {
    for (const end = performance.now() + SETTLE_MS; ;) {
      const left = await this.left(...machines);
      if (left.length === 0 || performance.now() > end) return left;
      await sleep(50);
    }
  }

  /** Everything runs have left on the engine, in the ledger and on this machine, one text each. */
  async left(...machines: readonly string[]): Promise<readonly string[]> {
    const { vms, ...left } = await this.lab.leftovers();
    return [
      ...Object.entries(left).flatMap(([kind, ids]) => ids.map((id) => `${kind}: ${id}`)),
      ...vms.filter((name) => !machines.includes(name)).map((name) => `vm: ${name}`),
      ...(await this.ledger.abandoned()).map(({ title }) => `ledger: ${title}`),
      ...(await this.attachedDevices()).map((name) => `device: ${name}`),
    ];
  }
}

export function restoreRequest({ point }: TakenBackup, name: string): RestoreRequest {
  return { point, disks: point.disks, name, networks: new Map(), mac: "new", start: false };
}

/** Disks that a point has otherwise than they are seen. */
export function differences(taken: TakenBackup, views: ReadonlyMap<string, Buffer>): string[] {
  return [...views].filter(([id, view]) => !view.equals(taken.images.get(id) ?? Buffer.of())).map(([id]) => id);
}

/** Whether the disks of two machines hold the same, one by one in their order. */
export function sameBytes(one: ReadonlyMap<string, Buffer>, other: ReadonlyMap<string, Buffer>): boolean {
  const others = [...other.values()];
  const views = [...one.values()];
  return views.length === others.length && views.every((view, index) => view.equals(others[index] ?? Buffer.of()));
}

export async function fill(target: DiskTarget, image: Uint8Array | undefined, signal: AbortSignal): Promise<void> {
  if (image === undefined) throw new Error(`no image for disk ${target.diskId}`);
  const step = 256 * 1024;
  for (let offset = 0; offset < image.length; offset += step) {
    const part = image.subarray(offset, offset + step);
    if (Buffer.alloc(part.length).equals(part)) await target.zero(offset, part.length, signal);
    else await target.write(offset, part, signal);
  }
  await target.flush(signal);
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
