import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  type Clock,
  type ObjectStore,
  processIdentity,
  type ProcessIdentity,
  type RecoveryPoint,
  systemClock,
} from "@ovault/contract";
import { FileLedger, type Ledger, prune, type PruneReport, type RepackLimits, Repository } from "@ovault/core";
import type { PruneOptions } from "@ovault/core/internal/maintenance/prune-report";
import { MemoryStore } from "@ovault/testkit";

import { plain } from "@ovault/core/internal/blocks/codecs/plain";
import { smallRepository } from "./small-repository.ts";
import { never } from "./take-point.ts";
import { BLOCK_BYTES } from "./block-disk.ts";
import { type BlockRun, takeBlockPoint } from "./take-block-point.ts";

const HOUR_MS = 60 * 60 * 1000;
const SHORT_MS = 20;
/** Room for two blocks. */
const PACK_BYTES = 1000;

/** Everything goes that can, however little it frees. */
export const ALL: RepackLimits = { minDeadShare: 0.01, budgetBytes: 1e9 };

export interface SitePruneOptions extends Partial<PruneOptions> {
  readonly lockDays?: number;
  /** Elsewhere by default. */
  readonly process?: ProcessIdentity;
}

/** A process of another machine: whether it lives is unknown here. */
export const ELSEWHERE: ProcessIdentity = { ...processIdentity(), node: "elsewhere", bootId: "elsewhere" };

/** Of this machine, and dead: no process ever started so early. */
export const DEAD: ProcessIdentity = { ...processIdentity(), startTicks: 1 };

/** A small repository in memory. Whatever is done to it is done as by a process of its own. */
export class BlockSite<S extends ObjectStore = MemoryStore> {
  readonly store: S;
  readonly #ledger: Ledger;
  readonly #directory: string;

  private constructor(store: S, ledger: Ledger, directory: string) {
    this.store = store;
    this.#ledger = ledger;
    this.#directory = directory;
  }

  static async open(): Promise<BlockSite>;
  static async open<S extends ObjectStore>(store: S): Promise<BlockSite<S>>;
  static async open(store: ObjectStore = new MemoryStore()): Promise<BlockSite<ObjectStore>> {
    const directory = await mkdtemp(join(tmpdir(), "ovault-block-site-"));
    await smallRepository(store, BLOCK_BYTES, plain);
    return new BlockSite(store, await FileLedger.open(directory), directory);
  }

  /** One whose objects are in this store already. Ends with this one. */
  at<T extends ObjectStore>(store: T): BlockSite<T> {
    return new BlockSite(store, this.#ledger, this.#directory);
  }

  async close(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** By way of `store`, if it is given. */
  async repository(store: ObjectStore = this.store, lockDays?: number): Promise<Repository> {
    return await Repository.open(store, { packBytes: PACK_BYTES, codec: plain, lockDays, signal: never });
  }

  async backUp(run: Partial<BlockRun>, store?: ObjectStore, process = ELSEWHERE): Promise<RecoveryPoint> {
    const options = { ledger: this.#ledger, process, signal: never, ifBusy: "refuse" } as const;
    return await takeBlockPoint(await this.repository(store), { vm: "vm-1", blocks: [], ...run }, options);
  }

  async forget(...points: readonly RecoveryPoint[]): Promise<void> {
    const repository = await this.repository();
    for (const point of points) await repository.points.forget(point, never);
  }

  /** Without grace by default. */
  async prune(
    { lockDays, process = ELSEWHERE, ...options }: SitePruneOptions = {},
    store?: ObjectStore,
  ): Promise<PruneReport> {
    const holder = { runId: randomUUID(), ...process };
    return await prune(await this.repository(store, lockDays), { graceMs: 0, holder, signal: never, ...options });
  }

  /** Ids of the points that can be seen. */
  async visible(): Promise<readonly string[]> {
    return (await (await this.repository()).points.list(never)).points.map(({ id }) => id);
  }
}

/** A site with the same objects, to do to it what one likes. Ends with the other. */
export function copyOf(site: BlockSite): BlockSite {
  const store = new MemoryStore();
  for (const [key, bytes] of site.store.objects) store.objects.set(key, bytes);
  return site.at(store);
}

/** The time in so many hours, when every lease of now is long past. It flies while one sleeps. */
export function hoursLater(hours: number): Clock {
  let sleptMs = 0;
  return {
    now: () => new Date(Date.now() + hours * HOUR_MS + sleptMs),
    elapsedMs: () => systemClock.elapsedMs() + sleptMs,
    sleep: async (ms, signal) => {
      await systemClock.sleep(Math.min(ms / 1000, SHORT_MS), signal);
      sleptMs += ms;
    },
  };
}
