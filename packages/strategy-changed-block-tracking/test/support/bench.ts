import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import {
  createRunHooks,
  SourceError,
  type BackupSession,
  type DiskRecord,
  type DiskSource,
  type Quiesce,
  type RecoveryPoint,
  type RestoreRequest,
  type RestoreSession,
  type VirtualMachine,
} from "@ovault/contract";
import { Ledger, type LedgerRun } from "@ovault/core";
import { diskStats } from "@ovault/testkit";
import { startLab, type EngineVersion, type GuestWrite, type Lab, type LabInventoryRequest } from "@ovault/lab";
import { OvirtManager } from "@ovault/ovirt";

import { ChangedBlockTracking } from "../../src/index.ts";
import { optionsSchema } from "../../src/options.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;

/** What a request says besides. */
const USUAL = { quiesce: "try", keepBase: true } as const;

export const never = new AbortController().signal;

/** A recovery point with the bytes of its disks, by disk id. */
export interface Taken {
  readonly point: RecoveryPoint;
  readonly images: ReadonlyMap<string, Buffer>;
  readonly warnings: readonly string[];
}

export interface BackupWishes {
  readonly base?: Taken;
  readonly full?: boolean;
  readonly quiesce?: Quiesce;
  /** Aliases. */
  readonly exclude?: readonly string[];
  /** Called when all disks are open, before any is read. */
  readonly whenOpen?: () => Promise<void>;
  /** Do not seal: close as failed after everything was read. */
  readonly abandon?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * A lab with one virtual machine `web`, whose disks are `web_Disk1` (16 MiB, QCOW2) and `web_Disk2` (8 MiB and a bit, raw),
 * and the strategy on it. It does what core's runs do, with images in memory in place of a repository, so that a test sees
 * the strategy alone.
 */
export class Bench {
  readonly lab: Lab;
  readonly manager: OvirtManager;
  readonly strategy: ChangedBlockTracking;
  readonly ledger: Ledger;
  readonly #directory: string;

  private constructor(lab: Lab, manager: OvirtManager, ledger: Ledger, directory: string) {
    this.lab = lab;
    this.manager = manager;
    this.strategy = new ChangedBlockTracking(manager, optionsSchema.parse({}));
    this.ledger = ledger;
    this.#directory = directory;
  }

  static async open(
    options: { engineVersion?: EngineVersion; down?: boolean; inventory?: LabInventoryRequest } = {},
  ): Promise<Bench> {
    const directory = await mkdtemp(join(tmpdir(), "ovault-changed-blocks-"));
    const images = [join(directory, "one.qcow2"), join(directory, "two.raw")];
    const [one = "", two = ""] = images;
    await run("qemu-img", ["create", "-q", "-f", "qcow2", one, String(16 * MIB)]);
    await run("qemu-io", ["-f", "qcow2", "-c", "write -P 0x11 1M 2M", "-c", "write -P 0x12 9M 64k", one]);
    await run("qemu-img", ["create", "-q", "-f", "raw", two, String(8 * MIB + 512)]);
    await run("qemu-io", ["-f", "raw", "-c", "write -P 0x21 3M 1M", two]);
    const lab = await startLab({
      directory: join(directory, "lab"),
      vms: [{ name: "web", images, down: options.down ?? false }],
      engineVersion: options.engineVersion ?? "4.5",
      inventory: options.inventory,
      delayMs: 1,
    });
    const manager = new OvirtManager("lab", {
      url: lab.url,
      user: lab.user,
      password: lab.password,
      trust: { ca: [await readFile(lab.caFile, "utf8")] },
      timings: { pollMs: 10, inFlightMs: 500 },
    });
    return new Bench(lab, manager, await Ledger.open(join(directory, "ledger")), directory);
  }

  async close(): Promise<void> {
    await this.manager.close();
    await this.lab.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async vm(name = "web"): Promise<VirtualMachine> {
    const vms = await this.manager.inventory(never);
    const vm = vms.find((one) => one.name === name);
    if (vm === undefined) throw new Error(`no virtual machine ${name}`);
    return vm;
  }

  async vmNames(): Promise<string[]> {
    return (await this.manager.inventory(never)).map(({ name }) => name);
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

  async viewAll(name = "web"): Promise<Map<string, Buffer>> {
    const { disks } = await this.vm(name);
    const views = new Map<string, Buffer>();
    for (const { id } of disks) views.set(id, await this.view(id));
    return views;
  }

  /** Fails with everything the strategy cleaned up, like a run. */
  async backup(wishes: BackupWishes = {}): Promise<Taken> {
    const { base, full = false, quiesce = "try", exclude = [], signal = never } = wishes;
    const vm = await this.vm();
    const { disks: assessed } = await this.strategy.assess(vm, never);
    const able = new Set(assessed.filter(({ verdict }) => verdict !== "skip").map(({ diskId }) => diskId));
    const disks = vm.disks.filter(({ id, alias }) => able.has(id) && !exclude.includes(alias));
    const runId = randomUUID();
    const ledger = await this.#ledgerOf(runId);
    const hooks = createRunHooks();
    const warnings: string[] = [];
    hooks.warning.tap("bench", (message) => warnings.push(message));
    try {
      const request = { vm, disks, base: base?.point, full, ...USUAL, quiesce };
      const session = await this.strategy.openBackup(request, { runId, ledger, hooks, signal });
      const images = await this.#read(session, wishes);
      const { bases } = await session.close(wishes.abandon === true ? "failed" : "complete");
      const records = session.disks.map((source) => {
        const marker = bases.get(source.disk.id);
        return { ...recordOf(source), ...(marker === undefined ? {} : { base: marker }) };
      });
      const point = pointOf({ vm, runId, session, records, base: base?.point });
      if (wishes.abandon !== true) await session.retire(never);
      return { point, images, warnings };
    } finally {
      await ledger.end();
    }
  }

  async #read(session: BackupSession, { base, whenOpen, signal = never }: BackupWishes): Promise<Map<string, Buffer>> {
    try {
      await whenOpen?.();
      const images = new Map<string, Buffer>();
      for (const source of session.disks) {
        images.set(source.disk.id, await readSource(source, base?.images.get(source.disk.id), signal));
      }
      await session.confirm?.(signal);
      return images;
    } catch (error) {
      await session.close("failed");
      throw error;
    }
  }

  /** Resolves to the warnings. */
  async restore(
    taken: Taken,
    name: string,
    options: {
      wishes?: Partial<RestoreRequest>;
      /** Takes the place of writing, flushing and committing. */
      instead?: (session: RestoreSession) => Promise<void>;
      /** After a failure: do nothing more, as if the process had been killed. */
      abandon?: boolean;
      signal?: AbortSignal;
    } = {},
  ): Promise<readonly string[]> {
    const runId = randomUUID();
    const ledger = await this.#ledgerOf(runId);
    const { signal = never } = options;
    const hooks = createRunHooks();
    const warnings: string[] = [];
    hooks.warning.tap("bench", (message) => warnings.push(message));
    const request: RestoreRequest = {
      point: taken.point,
      disks: taken.point.disks,
      name,
      networks: new Map(),
      mac: "new",
      start: false,
      ...options.wishes,
    };
    try {
      const session = await this.strategy.openRestore(request, {
        runId,
        ledger,
        hooks,
        signal,
      });
      try {
        if (options.instead !== undefined) {
          await options.instead(session);
          return warnings;
        }
        for (const target of session.disks) await fill(target, taken.images.get(target.diskId), signal);
        await session.commit();
        return warnings;
      } catch (error) {
        if (options.abandon !== true) await session.abort();
        throw error;
      }
    } finally {
      await ledger.end();
    }
  }

  /** What a dead run leaves: a session that is open on the engine, and that nobody closes. */
  async backupAndDie(): Promise<void> {
    const vm = await this.vm();
    const runId = randomUUID();
    const ledger = await this.#ledgerOf(runId);
    const context = { runId, ledger, hooks: createRunHooks(), signal: never };
    await this.strategy.openBackup({ vm, disks: vm.disks, base: undefined, full: false, ...USUAL }, context);
    await ledger.end();
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

  #ledgerOf(runId: string): Promise<LedgerRun> {
    return this.ledger.forRun({ runId, manager: this.manager.name, strategy: this.strategy.name });
  }
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

/** Builds the image from extents, as the pipeline would: every byte once, what is unchanged from the base. */
async function readSource(source: DiskSource, base: Buffer | undefined, signal: AbortSignal): Promise<Buffer> {
  const image = Buffer.alloc(source.disk.logicalBytes, 0xee);
  let position = 0;
  for await (const { offset, length, kind } of source.extents(signal)) {
    if (offset !== position) throw new SourceError(`a gap at ${position}`);
    const range = image.subarray(offset, offset + length);
    position += length;
    if (kind === "zero") range.fill(0);
    if (kind === "unchanged") {
      if (base === undefined || source.mode !== "incremental") throw new SourceError("unchanged without a base");
      base.copy(range, 0, offset, offset + length);
    }
    if (kind === "data") await readInPieces(source, offset, range, signal);
  }
  if (position !== source.disk.logicalBytes) throw new SourceError(`extents end at ${position}`);
  return image;
}

async function readInPieces(source: DiskSource, offset: number, range: Buffer, signal: AbortSignal): Promise<void> {
  const pieces: Promise<void>[] = [];
  for (let done = 0; done < range.length; done += MIB) {
    pieces.push(source.readInto(offset + done, range.subarray(done, done + MIB), signal));
  }
  const settled = await Promise.allSettled(pieces);
  for (const piece of settled) if (piece.status === "rejected") throw piece.reason;
}

async function fill(
  target: RestoreSession["disks"][number],
  image: Buffer | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (image === undefined) throw new Error(`no image for disk ${target.diskId}`);
  const step = 256 * 1024;
  for (let offset = 0; offset < image.length; offset += step) {
    const part = image.subarray(offset, offset + step);
    if (part.every((byte) => byte === 0)) await target.zero(offset, part.length, signal);
    else await target.write(offset, part, signal);
  }
  await target.flush(signal);
}

function recordOf({ disk, mode, reason }: DiskSource): DiskRecord {
  const blocks = Math.ceil(disk.logicalBytes / MIB);
  return { disk, mode, reason, blockMap: null, stats: diskStats(disk.logicalBytes, blocks) };
}

function pointOf(parts: {
  readonly vm: VirtualMachine;
  readonly runId: string;
  readonly session: BackupSession;
  readonly records: readonly DiskRecord[];
  readonly base: RecoveryPoint | undefined;
}): RecoveryPoint {
  const now = new Date().toISOString();
  return {
    id: `point-${parts.runId}`,
    vm: parts.vm,
    takenAt: now,
    sealedAt: now,
    runId: parts.runId,
    strategy: "changed-block-tracking",
    basePoint: parts.base?.id ?? null,
    consistency: parts.session.consistency,
    blockBytes: MIB,
    disks: parts.records,
    skipped: [],
    documents: parts.session.documents,
    warnings: [],
    ovaultVersion: "0.0.0",
  };
}
