import type { RecoveryPoint } from "@ovault/contract";
import {
  backupVirtualMachine,
  type BackupOptions,
  FileLedger,
  type Ledger,
  type PointStore,
  restoreVirtualMachine,
} from "@ovault/core";
import { never } from "@ovault/test-support/repository/take-point";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";
import { type ModelDisk, ModelPlatform, ModelStrategy } from "@ovault/testkit";

/** Disks of a model platform, by id. */
export type ModelDisks = Readonly<Record<string, ModelDisk>>;

/** A machine of a model platform, and runs that back it up into a store and restore it. */
export class ModelRuns<Store extends PointStore> {
  readonly platform = new ModelPlatform();
  readonly strategy = new ModelStrategy(this.platform);
  readonly ledger: Ledger;
  /** Another one when a test opens the place anew. */
  store: Store;

  protected constructor(ledger: Ledger, store: Store, disks: ModelDisks) {
    this.ledger = ledger;
    this.store = store;
    for (const [id, disk] of Object.entries(disks)) this.platform.disks.set(id, disk);
  }

  static async open<Store extends PointStore>(store: Store, disks: ModelDisks): Promise<ModelRuns<Store>> {
    return new ModelRuns(await openLedger(), store, disks);
  }

  async backUp(options: Partial<BackupOptions> = {}): Promise<RecoveryPoint> {
    return await backupVirtualMachine({
      vm: this.platform.vm(),
      strategy: this.strategy,
      store: this.store,
      ledger: this.ledger,
      full: false,
      excludeDisks: [],
      taps: [],
      ifBusy: "refuse",
      signal: never,
      ...options,
    });
  }

  /** Restores a point as a new machine, and answers with its disks, by id, and what was lost. */
  async restore(
    point: RecoveryPoint,
    { salvage = false, store = this.store, taps = [] }: Partial<RestoreWish> = {},
  ): Promise<RestoredDisks> {
    const before = this.platform.restored.length;
    const { lost } = await restoreVirtualMachine({
      request: { point, disks: point.disks, name: "restored", networks: new Map(), mac: "new", start: false },
      store,
      strategy: this.strategy,
      manager: "model",
      ledger: this.ledger,
      taps,
      salvage,
      signal: never,
    });
    const restored = this.platform.restored.slice(before);
    return { disks: Object.fromEntries(restored.map(({ diskId, bytes }) => [diskId, bytes])), lost };
  }

  /** The points of the machine. */
  async sealed(): Promise<readonly RecoveryPoint[]> {
    return (await this.store.points.listOf(this.platform.vm(), never)).points;
  }

  /** What the disks hold now, by id. */
  now(): Record<string, Uint8Array> {
    return Object.fromEntries([...this.platform.disks].map(([id, { bytes }]) => [id, bytes]));
  }
}

type RestoreOptions = Parameters<typeof restoreVirtualMachine>[0];

interface RestoreWish {
  readonly salvage: boolean;
  readonly store: PointStore;
  readonly taps: RestoreOptions["taps"];
}

interface RestoredDisks {
  readonly disks: Record<string, Uint8Array>;
  readonly lost: Awaited<ReturnType<typeof restoreVirtualMachine>>["lost"];
}

/** Removed when the test ends. */
export async function openLedger(): Promise<Ledger> {
  return await FileLedger.open(await temporaryDirectory());
}
