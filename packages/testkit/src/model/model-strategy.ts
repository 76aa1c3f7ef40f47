import type {
  Assessment,
  BackupRequest,
  BaseMarker,
  DiskTarget,
  HeldInstant,
  Leftover,
  LedgerEntry,
  RestoreRequest,
  RestoreSession,
  RunContext,
  Strategy,
  VirtualMachine,
} from "@ovault/contract";

import { MemoryTarget } from "./memory-target.ts";
import { changesBetween } from "./changes.ts";
import { diskOf, type ModelDisk, sourceOf } from "./model-disk.ts";

/** Granularity of change tracking, in bytes. */
const GRANULARITY = 512;

/** A virtualization platform in memory: disks, and the temporary things of runs. */
export class ModelPlatform {
  readonly disks = new Map<string, ModelDisk>();
  /** Things that runs made on the platform, by ledger entry. */
  readonly made = new Set<string>();
  readonly restored: MemoryTarget[] = [];
  /** Content of the disks at each checkpoint that a point may still start from. */
  readonly checkpoints = new Map<number, ReadonlyMap<string, Uint8Array>>();
  #lastCheckpoint = 0;
  /** Called at every step of a run; a test may throw to fail it. */
  step: (name: string) => void = () => undefined;

  vm(): VirtualMachine {
    const disks = [...this.disks].map(([id, disk], index) => diskOf(disk.bytes.byteLength, id, index));
    return { id: "vm-1", name: "web01", manager: "model", status: "up", disks, attributes: {} };
  }

  /** A copy with the same disks and checkpoints, without anything that runs made. */
  copy(): ModelPlatform {
    const copy = new ModelPlatform();
    for (const [id, disk] of this.disks) copy.disks.set(id, { ...disk, bytes: disk.bytes.slice() });
    for (const [id, disks] of this.checkpoints) copy.checkpoints.set(id, disks);
    copy.#lastCheckpoint = this.#lastCheckpoint;
    return copy;
  }

  /** Records the present content of the disks. */
  checkpoint(): { readonly id: number; readonly disks: ReadonlyMap<string, ModelDisk> } {
    const id = (this.#lastCheckpoint += 1);
    const disks = new Map([...this.disks].map(([diskId, disk]) => [diskId, { ...disk, bytes: disk.bytes.slice() }]));
    this.checkpoints.set(id, new Map([...disks].map(([diskId, { bytes }]) => [diskId, bytes])));
    return { id, disks };
  }

  take(name: string, entry: string): void {
    this.step(name);
    this.made.add(entry);
  }

  drop(name: string, entry: string): void {
    this.step(name);
    this.made.delete(entry);
  }
}

/** Takes increments if the base's checkpoint is known. */
export class ModelStrategy implements Strategy {
  readonly name: string = "model";
  readonly #platform: ModelPlatform;
  readonly skipped = new Set<string>();
  readonly impossible = new Set<string>();

  constructor(platform: ModelPlatform) {
    this.#platform = platform;
  }

  async assess(vm: VirtualMachine): Promise<Assessment> {
    const verdict = (id: string) =>
      this.skipped.has(id) ? "skip" : this.impossible.has(id) ? "impossible" : "incremental";
    return { disks: vm.disks.map(({ id }) => ({ diskId: id, verdict: verdict(id), reason: "a test" })) };
  }

  async takeInstant({ disks, base, full }: BackupRequest, { ledger, signal }: RunContext): Promise<HeldInstant> {
    signal.throwIfAborted();
    const platform = this.#platform;
    const handle = await ledger.open({ kind: "backup", title: "backup of web01", detail: {} });
    if (signal.aborted) {
      await handle.close();
      throw signal.reason;
    }
    platform.take("instant", handle.entry.id);
    const checkpoint = platform.checkpoint();
    const older = (base?.disks ?? []).map((record) => checkpointIn(record.base));
    return {
      documents: [{ name: "vm.ovf", mediaType: "text/xml", text: "<Envelope/>" }],
      consistency: "crash",
      async open() {
        platform.step("open");
        return disks.map(({ id }) => {
          const now = checkpoint.disks.get(id) ?? { bytes: new Uint8Array(), extents: [] };
          const record = full ? undefined : base?.disks.find((one) => one.disk.id === id);
          const then = platform.checkpoints.get(checkpointIn(record?.base))?.get(id);
          const mode = then !== undefined ? "incremental" : record !== undefined ? "compared" : "full";
          const disk = then === undefined ? now : changesBetween(then, now.bytes, GRANULARITY);
          return sourceOf(disk, { id, mode, onRead: () => platform.step("read") });
        });
      },
      async close(outcome) {
        platform.drop(`close ${outcome}`, handle.entry.id);
        if (outcome === "failed") platform.checkpoints.delete(checkpoint.id);
        await handle.close();
        return { bases: new Map(disks.map((disk) => [disk.id, { checkpoint: checkpoint.id }])) };
      },
      async retire() {
        platform.step("retire");
        for (const id of older) platform.checkpoints.delete(id);
      },
    };
  }

  async planRestore(): Promise<{ steps: string[]; warnings: string[] }> {
    return { steps: [], warnings: [] };
  }

  async openRestore(request: RestoreRequest, { ledger }: RunContext): Promise<RestoreSession> {
    const platform = this.#platform;
    const handle = await ledger.open({ kind: "vm", title: request.name, detail: {} });
    platform.take("open restore", handle.entry.id);
    const targets = request.disks.map(
      (record) => new SteppedTarget(platform, record.disk.id, record.stats.logicalBytes),
    );
    return {
      disks: targets,
      async commit() {
        platform.drop("commit", handle.entry.id);
        await handle.close();
        platform.restored.push(...targets);
        return { id: "new", name: request.name, disks: targets.map(({ diskId }) => ({ from: diskId, id: diskId })) };
      },
      async abort() {
        platform.drop("abort", handle.entry.id);
        await handle.close();
      },
    };
  }

  async leftovers(entries: readonly LedgerEntry[]): Promise<readonly Leftover[]> {
    return entries.map((entry) => ({
      entry,
      action: `remove ${entry.title}`,
      gone: !this.#platform.made.has(entry.id),
      remove: async () => void this.#platform.made.delete(entry.id),
    }));
  }
}

function checkpointIn(marker: BaseMarker | undefined): number {
  return Number(marker?.["checkpoint"] ?? 0);
}

class SteppedTarget extends MemoryTarget implements DiskTarget {
  readonly #platform: ModelPlatform;

  constructor(platform: ModelPlatform, diskId: string, logicalBytes: number) {
    super(diskId, logicalBytes);
    this.#platform = platform;
  }

  override async write(offset: number, data: Uint8Array): Promise<void> {
    this.#platform.step("write");
    await super.write(offset, data);
  }

  override async flush(): Promise<void> {
    this.#platform.step("flush");
    await super.flush();
  }
}
