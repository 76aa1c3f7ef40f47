import { packageVersion } from "../package-version.ts";
import type { Ledger } from "../ledger/ledger.ts";
import {
  type Assessment,
  type Consistency,
  type DiskRecord,
  type RecoveryPoint,
  type ClosedInstant,
  type HeldInstant,
  type PointDocument,
  type Quiesce,
  type RunContext,
  type Strategy,
  type Turn,
  type BackupRequest,
  type VirtualMachine,
  createRunHooks,
  observe,
  type RunHooks,
  type Clock,
  systemClock,
  messageOf,
  plural,
  type ProcessIdentity,
  IntegrityError,
  CodecError,
} from "@ovault/contract";
import { callEveryTap } from "../hooks/call-every-tap.ts";
import { BufferPool } from "../pipeline/buffer-pool.ts";
import type { PointStore } from "../points/point-store.ts";
import type { PointWriter } from "../points/point-writer.ts";
import { unclaimedWarnings } from "../points/unclaimed-warnings.ts";
import { runFailure } from "../concurrency/cancellation.ts";
import { DEFAULT_LANES } from "./default-lanes.ts";
import { endLedger } from "./end-ledger.ts";
import { newRunId } from "../util/run-id.ts";
import { selectDisks, type SelectedDisks } from "./select-disks.ts";
import { SupersededBase } from "./superseded-base.ts";

export interface BackupOptions {
  /** Default: a new one. */
  readonly runId?: string;
  readonly vm: VirtualMachine;
  readonly strategy: Strategy;
  /** All strategies of this manager: the one that took the last point removes its base when `strategy` takes over. */
  readonly strategies?: readonly Strategy[];
  /** The strategy's assessment when it was chosen; without it the run calls `assess`. */
  readonly assessment?: Assessment | undefined;
  /** Why this strategy, for people. */
  readonly strategyReason?: string | undefined;
  readonly store: PointStore;
  readonly ledger: Ledger;
  /** Trust no change tracking. */
  readonly full: boolean;
  /** Default: `try`. */
  readonly quiesce?: Quiesce;
  /** Keep on the manager what the next increment starts from. Default: true. */
  readonly keepBase?: boolean;
  /** Ids of disks to leave out. */
  readonly excludeDisks: readonly string[];
  /** The run calls each with its fresh hooks before it starts. */
  readonly taps: readonly ((hooks: RunHooks) => void)[];
  /** What to do when another run holds the virtual machine. */
  readonly ifBusy: "refuse" | "wait";
  /** For blocks in flight, shared by all disks and by other runs. Bounds memory. */
  readonly buffers?: BufferPool;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Process that the lease names as its holder; this one by default. */
  readonly process?: ProcessIdentity;
}

/** Deadline of thawing, which must work when the run itself is cancelled. */
const AFTER_SNAPSHOT_MS = 60_000;

/**
 * Backs up one virtual machine and resolves to its sealed recovery point. Rejects with nothing sealed, nothing
 * left on the manager that could be removed, and the rest in the ledger.
 */
export async function backupVirtualMachine(options: BackupOptions): Promise<RecoveryPoint> {
  const hooks = createRunHooks();
  for (const tap of options.taps) tap(hooks);
  const { runId = newRunId(), vm, store, ifBusy, process, signal, clock = systemClock } = options;
  observe(hooks.started, { runId, vm });
  const onWait = (detail: string): void => observe(hooks.phase, { phase: "wait", detail });
  try {
    const writer = await store.beginPoint(vm, { runId, process, ifBusy, onWait, onDoubt: onWait, clock, signal });
    try {
      return await new BackupRun(options, hooks, runId, writer).run();
    } finally {
      await writer.release();
    }
  } catch (error) {
    const failure = runFailure(error, signal);
    observe(hooks.failed, failure);
    throw failure;
  } finally {
    observe(hooks.finished);
  }
}

interface Attempt {
  readonly selected: SelectedDisks;
  readonly base: RecoveryPoint | undefined;
  readonly full: boolean;
  /** What a previous attempt found damaged: the reason to read everything and to store all pages again. */
  readonly damage?: string;
  readonly context: RunContext;
  readonly turn?: Turn | undefined;
}

interface TakenInstant {
  readonly instant: HeldInstant;
  readonly takenAt: Date;
}

/** One run: its warnings, and what every step needs. */
class BackupRun {
  readonly #options: BackupOptions;
  readonly #hooks: RunHooks;
  readonly #runId: string;
  readonly #writer: PointWriter;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #warnings: string[] = [];

  constructor(options: BackupOptions, hooks: RunHooks, runId: string, writer: PointWriter) {
    this.#options = options;
    this.#hooks = hooks;
    this.#runId = runId;
    this.#writer = writer;
    this.#clock = options.clock ?? systemClock;
    this.#signal = writer.signal;
    hooks.warning.tap("point", (message) => this.#warnings.push(message));
  }

  async run(): Promise<RecoveryPoint> {
    const { vm, strategy, assessment, excludeDisks: excluded, full } = this.#options;
    const hooks = this.#hooks;
    const selected = await selectDisks({ vm, strategy, excluded, assessment, hooks, signal: this.#signal });
    const base = await this.#findBase();
    const runId = this.#runId;
    const ledger = await this.#options.ledger.forRun({ runId, manager: vm.manager, strategy: strategy.name });
    const context: RunContext = { runId, ledger, hooks, signal: this.#signal };
    const attempt: Attempt = { selected, base, full, context };
    try {
      if (!full && base !== undefined && (await this.#hasLosses(base, selected))) {
        return await this.#attempt({ ...attempt, full: true, damage: `the last point, ${base.id}, has lost data` });
      }
      return await this.#attempt(attempt);
    } catch (error) {
      const isDamage = error instanceof IntegrityError && !(error instanceof CodecError);
      if (full || base === undefined || !isDamage) throw error;
      this.#warn(`recovery point ${base.id} is damaged and cannot be a base: ${error.message}`);
      return await this.#attempt({ ...attempt, full: true, damage: `the last point, ${base.id}, is damaged` });
    } finally {
      await endLedger(ledger, hooks);
    }
  }

  async #attempt(attempt: Attempt): Promise<RecoveryPoint> {
    const { selected, context } = attempt;
    const { strategy } = this.#options;
    // Nothing waits while a guest is frozen, or a snapshot of it grows.
    const turn = selected.disks.length > 0 ? await strategy.awaitTurn?.(this.#request(attempt), context) : undefined;
    try {
      return await this.#attemptInTurn({ ...attempt, turn });
    } finally {
      await turn?.release().catch((error: unknown) => this.#warn(`the turn of this run: ${messageOf(error)}`));
    }
  }

  async #attemptInTurn(attempt: Attempt): Promise<RecoveryPoint> {
    const { selected, base, damage } = attempt;
    const superseded = this.#superseded(attempt);
    this.#phase("open", `${plural(selected.disks.length, "disk")} of ${this.#options.vm.name}`);
    const hasData = selected.disks.length > 0;
    const { instant, takenAt } = await (hasData ? this.#takeAtRest(attempt) : this.#take(attempt));
    const { consistency, copied } = await this.#orAbandon(instant, async () => {
      this.#checkClock(attempt, takenAt);
      const reached = instant.consistency;
      return {
        consistency: hasData ? this.#hooks.consistency.call(reached, this.#options.vm) : reached,
        copied: await this.#copy(instant, attempt),
      };
    });
    const closed = await this.#close(instant);
    const disks = damage === undefined ? copied : copied.map((record) => ({ ...record, reason: damage }));
    const sealing = { documents: instant.documents, consistency, selected, base, takenAt, disks, closed };
    let point: RecoveryPoint;
    try {
      point = await this.#orAbandon(instant, async () => {
        await superseded?.record(this.#options.ledger);
        return await this.#seal(sealing);
      });
    } catch (error) {
      await superseded?.spare();
      throw error;
    }
    this.#phase("retire", "removing what only older points needed");
    await instant.retire(this.#signal).catch((error: unknown) => {
      this.#warn(`what only older points needed is still there: ${messageOf(error)}; see \`ovault doctor\``);
    });
    await superseded?.remove(this.#signal).catch((error: unknown) => {
      this.#warn(`what ${base?.id} kept for an increment is still there: ${messageOf(error)}; see \`ovault doctor\``);
    });
    return point;
  }

  /**
   * Undefined if the same strategy took the last point, for its `retire` removes the old base (not for a point without
   * disks), or if the strategy that took it is not configured.
   */
  #superseded({ base, selected: { disks } }: Attempt): SupersededBase | undefined {
    const { strategy, strategies = [strategy] } = this.#options;
    if (base === undefined || (base.strategy === strategy.name && disks.length > 0)) return undefined;
    const owner = strategies.find(({ name }) => name === base.strategy);
    return owner && new SupersededBase(base, owner);
  }

  #request({ selected: { disks }, base, full, turn }: Attempt): BackupRequest {
    const { vm, quiesce = "try", keepBase = true } = this.#options;
    return { vm, disks, base, full, quiesce, keepBase, turn };
  }

  async #take(attempt: Attempt): Promise<TakenInstant> {
    const instant = await this.#options.strategy.takeInstant(this.#request(attempt), attempt.context);
    // Not before: the strategy may wait long for the machine. Not later: the guest writes again after the thaw.
    return { instant, takenAt: this.#clock.now() };
  }

  /** Takes the instant between the two snapshot hooks; always calls the second. */
  async #takeAtRest(attempt: Attempt): Promise<TakenInstant> {
    const { vm } = this.#options;
    const { beforeSnapshot, afterSnapshot } = this.#hooks;
    try {
      await beforeSnapshot.promise(vm, this.#signal);
      return await this.#take(attempt);
    } finally {
      // A guest that could not be thawed needs an administrator, but the data is good.
      const failures = await callEveryTap(afterSnapshot, vm, AbortSignal.timeout(AFTER_SNAPSHOT_MS));
      for (const error of failures) this.#warn(`after the snapshot: ${messageOf(error)}`);
    }
  }

  /** Resolves once all data is durable and the manager has confirmed the instant. */
  async #copy(instant: HeldInstant, { base, damage }: Attempt): Promise<DiskRecord[]> {
    const { store, buffers = new BufferPool(DEFAULT_LANES, store.blockBytes) } = this.#options;
    const signal = this.#signal;
    const sources = await instant.open(signal);
    const opened = sources.map(({ disk, carrier = null, mode, reason }) => {
      return { diskId: disk.id, carrier, mode, reason: damage ?? reason };
    });
    observe(this.#hooks.opened, { strategy: this.#options.strategy.name, point: this.#writer.id, disks: opened });
    this.#phase("copy", plural(sources.length, "disk"));
    const disks = await this.#writer.takeDisks(sources, {
      base,
      anew: damage !== undefined,
      buffers,
      onProgress: (event) => observe(this.#hooks.span, event),
    });
    await instant.confirm?.(signal);
    return disks;
  }

  /** A failed close costs the next base, not this point. */
  async #close(instant: HeldInstant): Promise<ClosedInstant> {
    observe(this.#hooks.copied);
    this.#phase("finalize", "ending the backup on the manager");
    try {
      return await instant.close("complete");
    } catch (error) {
      this.#warn(`the backup could not be ended on the manager: ${messageOf(error)}; the next run compares all data`);
      return { bases: new Map() };
    }
  }

  /** Closes the instant if `work` fails. */
  async #orAbandon<T>(instant: HeldInstant, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.#abandon(instant);
      throw error;
    }
  }

  async #abandon(instant: HeldInstant): Promise<void> {
    this.#phase("cleanup", "removing what this run made on the manager");
    try {
      await instant.close("failed");
    } catch (error) {
      this.#warn(`not everything could be removed from the manager: ${messageOf(error)}; see \`ovault doctor\``);
    }
  }

  async #seal(parts: {
    documents: readonly PointDocument[];
    consistency: Consistency;
    selected: SelectedDisks;
    base: RecoveryPoint | undefined;
    takenAt: Date;
    disks: readonly DiskRecord[];
    closed: ClosedInstant;
  }): Promise<RecoveryPoint> {
    const { vm, strategy, strategyReason, store } = this.#options;
    const { documents, consistency, selected, base, takenAt, disks, closed } = parts;
    const usedBase = disks.some((record) => record.mode !== "full");
    const draft = {
      id: this.#writer.id,
      vm,
      takenAt: takenAt.toISOString(),
      runId: this.#runId,
      strategy: strategy.name,
      ...(strategyReason !== undefined && { strategyReason }),
      basePoint: usedBase ? (base?.id ?? null) : null,
      consistency,
      blockBytes: store.blockBytes,
      disks: disks.map((record) => {
        const marker = closed.bases.get(record.disk.id);
        return marker === undefined ? record : { ...record, base: marker };
      }),
      skipped: selected.skipped,
      documents,
      warnings: [...this.#warnings],
      ovaultVersion: packageVersion(),
    };
    this.#phase("seal", draft.id);
    await this.#hooks.beforeSeal.promise(draft);
    const point: RecoveryPoint = { ...draft, sealedAt: this.#clock.now().toISOString() };
    await this.#writer.seal(point);
    observe(this.#hooks.sealed, point);
    return point;
  }

  /** True if unchanged blocks would refer to lost chunks. */
  async #hasLosses(base: RecoveryPoint, { disks: taken }: SelectedDisks): Promise<boolean> {
    const losses = await this.#options.store.lossesOfBase(base, this.#signal);
    const concerned = losses.filter(({ disk }) => taken.some(({ id }) => id === disk));
    if (concerned.length === 0) return false;
    const disks = concerned.map(({ alias }) => alias).join(", ");
    this.#warn(`recovery point ${base.id} has lost data of ${disks} and cannot be a base: everything is read`);
    return true;
  }

  /** The last sealed point. Skips damaged manifests with a warning. */
  async #findBase(): Promise<RecoveryPoint | undefined> {
    const { store, vm } = this.#options;
    const { base, damaged, unclaimed } = await store.findBase(vm, this.#signal);
    for (const { key } of damaged) this.#warn(`${key} is damaged and cannot be a base; run \`ovault verify --all\``);
    for (const warning of unclaimedWarnings(unclaimed)) this.#warn(warning);
    return base;
  }

  /** The order of points does not depend on clocks; displayed dates and the days that retention counts do. */
  #checkClock({ base }: Attempt, takenAt: Date): void {
    if (base === undefined || Date.parse(base.takenAt) <= takenAt.getTime()) return;
    this.#warn(
      `the last point, ${base.id}, is dated ${base.takenAt}, and the clock here says ${takenAt.toISOString()}: ` +
        "one of the two clocks is wrong. This point is the newer one whatever its date; set the clock right",
    );
  }

  #phase(phase: string, detail: string): void {
    observe(this.#hooks.phase, { phase, detail });
  }

  #warn(message: string): void {
    observe(this.#hooks.warning, message);
  }
}
