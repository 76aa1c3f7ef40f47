import type {
  Assessment,
  BackupRequest,
  BackupSession,
  BaseMarker,
  Disk,
  DiskTarget,
  Leftover,
  LedgerEntry,
  RestoreRequest,
  RestoreSession,
  RunContext,
  Strategy,
  VirtualMachine,
} from "@ovault/core";

import { MemoryTarget } from "./memory-target.ts";
import { diskOf, type ModelDisk, sourceOf } from "./model-disk.ts";

/** A virtualization platform in memory: disks, and what runs make on it and must remove again. */
export class ModelPlatform {
  readonly disks = new Map<string, ModelDisk>();
  /** What exists on the platform because of runs, by ledger entry. */
  readonly made = new Set<string>();
  readonly restored: MemoryTarget[] = [];
  checkpoints = 0;
  /** Every step of a session goes through here; a test makes one fail. */
  step: (name: string) => void = () => undefined;

  vm(): VirtualMachine {
    const disks = [...this.disks].map(([id, disk], index) => diskOf(disk.bytes.byteLength, id, index));
    return { id: "vm-1", name: "web01", manager: "model", status: "up", disks, attributes: {} };
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

/** Incremental where the base has a marker of ours, which is honest as long as nobody writes between. */
export class ModelStrategy implements Strategy {
  readonly name = "model";
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

  async openBackup({ disks, base, full }: BackupRequest, { ledger }: RunContext): Promise<BackupSession> {
    const platform = this.#platform;
    const handle = await ledger.open({ kind: "backup", title: "backup of web01", detail: {} });
    platform.take("open", handle.entry.id);
    const markerOf = (disk: Disk): BaseMarker | undefined =>
      base?.disks.find((record) => record.disk.id === disk.id)?.base;
    const checkpoint = (platform.checkpoints += 1);
    return {
      documents: [{ name: "vm.ovf", mediaType: "text/xml", text: "<Envelope/>" }],
      consistency: "crash",
      disks: disks.map((disk) => {
        const known = platform.disks.get(disk.id) ?? { bytes: new Uint8Array(), extents: [] };
        const hasBase = !full && base?.disks.some((record) => record.disk.id === disk.id) === true;
        const incremental = hasBase && markerOf(disk) !== undefined;
        const onRead = (): void => platform.step("read");
        return sourceOf(known, {
          id: disk.id,
          onRead,
          mode: incremental ? "incremental" : hasBase ? "compared" : "full",
        });
      }),
      async close(outcome) {
        platform.drop(`close ${outcome}`, handle.entry.id);
        await handle.close();
        return { bases: new Map(disks.map((disk) => [disk.id, { checkpoint }])) };
      },
      async retire() {
        platform.step("retire");
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
