import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { createRunHooks, type RestoreRequest, type RestoreSession, type VirtualMachine } from "@ovault/contract";
import { Ledger } from "@ovault/core";
import { startLab, type EngineVersion, type GuestWrite, type Lab } from "@ovault/lab";
import { OvirtManager } from "@ovault/ovirt";
import { takeBackup, withRun, type BackupBench, type OpenWishes, type TakenBackup } from "@ovault/testkit";

import { ImageTransferStrategy, type ImageTransferOptions } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;

export const never = new AbortController().signal;

/** A recovery point with the bytes of its disks, by disk id. */
export interface Taken extends TakenBackup {
  readonly warnings: readonly string[];
}

export interface BackupWishes extends Partial<OpenWishes> {
  /** Called when all disks are open, before any is read. */
  readonly whenOpen?: () => Promise<void>;
  /** The bench's own unless told. */
  readonly strategy?: ImageTransferStrategy;
}

export interface BenchOptions {
  readonly engineVersion?: EngineVersion;
  readonly down?: boolean;
  readonly guestAgent?: boolean;
}

/**
 * A lab with one virtual machine `web`, whose disks are `web_Disk1` (16 MiB, QCOW2) and `web_Disk2` (8 MiB and a bit, raw),
 * and the strategy on it.
 */
export class Bench {
  readonly lab: Lab;
  readonly manager: OvirtManager;
  /** The same engine, without patience for what is locked. */
  readonly hasty: OvirtManager;
  readonly strategy: ImageTransferStrategy;
  readonly ledger: Ledger;
  readonly #directory: string;

  private constructor(lab: Lab, managers: readonly [OvirtManager, OvirtManager], ledger: Ledger, directory: string) {
    this.lab = lab;
    [this.manager, this.hasty] = managers;
    this.strategy = this.strategyWith({});
    this.ledger = ledger;
    this.#directory = directory;
  }

  static async open(options: BenchOptions = {}): Promise<Bench> {
    const directory = await mkdtemp(join(tmpdir(), "ovault-image-transfer-"));
    const images = [join(directory, "one.qcow2"), join(directory, "two.raw")];
    const [one = "", two = ""] = images;
    await run("qemu-img", ["create", "-q", "-f", "qcow2", one, String(16 * MIB)]);
    await run("qemu-io", ["-f", "qcow2", "-c", "write -P 0x11 1M 2M", "-c", "write -P 0x12 9M 64k", one]);
    await run("qemu-img", ["create", "-q", "-f", "raw", two, String(8 * MIB + 512)]);
    await run("qemu-io", ["-f", "raw", "-c", "write -P 0x21 3M 1M", two]);
    const { engineVersion = "4.5", down = false, guestAgent = true } = options;
    const lab = await startLab({
      directory: join(directory, "lab"),
      vms: [{ name: "web", images, down, guestAgent }],
      engineVersion,
      delayMs: 1,
    });
    const managers = [await connect(lab), await connect(lab, { conflictDeadlineMs: 100 })] as const;
    return new Bench(lab, managers, await Ledger.open(join(directory, "ledger")), directory);
  }

  async close(): Promise<void> {
    await this.manager.close();
    await this.hasty.close();
    await this.lab.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  strategyWith(options: Partial<ImageTransferOptions>, manager = this.manager): ImageTransferStrategy {
    return new ImageTransferStrategy(manager, { ...optionsSchema.parse({}), ...options });
  }

  /** Another one on the same engine, of this kind. The caller closes it. */
  managerOf(kind: typeof OvirtManager): Promise<OvirtManager> {
    return connect(this.lab, { kind });
  }

  async vm(name = "web"): Promise<VirtualMachine> {
    const vms = await this.manager.inventory(never);
    const vm = vms.find((one) => one.name === name);
    if (vm === undefined) throw new Error(`no virtual machine ${name}`);
    return vm;
  }

  async write(disk: number, write: GuestWrite): Promise<void> {
    await this.lab.write("web", String(disk), write);
  }

  /** QEMU's own view of a disk. */
  async view(diskId: string): Promise<Buffer> {
    const path = join(this.#directory, `${randomUUID()}.raw`);
    await this.lab.view(diskId, path);
    return await readFile(path);
  }

  async viewAll(): Promise<Map<string, Buffer>> {
    const disks = this.lab.vms.find(({ name }) => name === "web")?.disks ?? [];
    const views = new Map<string, Buffer>();
    for (const { id } of disks) views.set(id, await this.view(id));
    return views;
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

  /** What a dead run leaves: a session that is open on the engine, and that nobody closes. */
  async backupAndDie(wishes: Partial<OpenWishes> = {}): Promise<void> {
    await withRun(this.parts(), { signal: never, ...wishes }, async () => {});
  }

  async restore(
    taken: TakenBackup,
    name: string,
    options: {
      /** Takes the place of writing, flushing and committing. */
      readonly instead?: (session: RestoreSession) => Promise<void>;
      /** The bench's own unless told. */
      readonly strategy?: ImageTransferStrategy;
      /** After a failure: do nothing more, as if the process had been killed. */
      readonly abandon?: boolean;
    } = {},
  ): Promise<void> {
    const runId = randomUUID();
    const ledger = await this.ledger.forRun({ runId, manager: this.manager.name, strategy: this.strategy.name });
    const { point, images } = taken;
    const networks = new Map<string, string>();
    const request: RestoreRequest = { point, disks: point.disks, name, networks, mac: "new", start: false };
    try {
      const context = { runId, ledger, hooks: createRunHooks(), signal: never };
      const { strategy = this.strategy } = options;
      const session = await strategy.openRestore(request, context);
      try {
        if (options.instead !== undefined) return await options.instead(session);
        for (const target of session.disks) await fill(target, images.get(target.diskId));
        await session.commit();
      } catch (error) {
        if (options.abandon !== true) await session.abort();
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
}

async function connect(
  { url, user, password, caFile }: Lab,
  { conflictDeadlineMs = 120_000, kind = OvirtManager } = {},
): Promise<OvirtManager> {
  const trust = { ca: [await readFile(caFile, "utf8")] };
  return new kind("lab", { url, user, password, trust, timings: { pollMs: 10, inFlightMs: 500, conflictDeadlineMs } });
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

async function fill(target: RestoreSession["disks"][number], image: Uint8Array | undefined): Promise<void> {
  if (image === undefined) throw new Error(`no image for disk ${target.diskId}`);
  const step = 256 * 1024;
  for (let offset = 0; offset < image.length; offset += step) {
    const part = image.subarray(offset, offset + step);
    if (part.every((byte) => byte === 0)) await target.zero(offset, part.length, never);
    else await target.write(offset, part, never);
  }
  await target.flush(never);
}
