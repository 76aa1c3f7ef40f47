import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import {
  type Clock,
  hasCode,
  type ObjectStore,
  type RecoveryPoint,
  StoreUnavailableError,
  systemClock,
} from "@ovault/contract";
import { backupVirtualMachine, FileLedger, retrying } from "@ovault/core";
import { type ModelDisk, MemoryStore, ModelPlatform, ModelStrategy } from "@ovault/testkit";
import { SimulatedClock } from "@ovault/test-support/simulated-clock";

import { LEASES } from "../../src/format/layout.ts";
import { LeaseFolder } from "../../src/leases/lease-folder.ts";
import { putVoid } from "../../src/leases/void.ts";
import { watched } from "../store/support/watched.ts";
import { reopen, smallRepository } from "@ovault/test-support/repository/small-repository";
import { never, restoredBytes } from "@ovault/test-support/repository/take-point";

const MINUTE_MS = 60_000;

const image: ModelDisk = {
  bytes: Uint8Array.from({ length: 6000 }, (_, at) => (at * 31 + (at >> 7)) & 0xff),
  extents: [{ offset: 0, length: 6000, kind: "data" }],
};

interface Outage {
  /** The call to the store with which it begins, from 1, not counting those about leases. */
  readonly call: number;
  readonly ms: number;
}

/** A run of a small machine over a network that is cut, while another node may see the store. */
class CutOffRun {
  readonly store = new MemoryStore();
  readonly clock: Clock;
  readonly #time = new SimulatedClock();
  readonly #cutOff = Promise.withResolvers<void>();
  readonly #outage: Outage;
  #calls = 0;
  #downUntilMs = 0;
  /** Called when the outage begins. */
  onCut: () => Promise<unknown> = () => Promise.resolve();

  constructor(outage: Outage, clock?: Clock) {
    this.#outage = outage;
    this.clock = clock ?? this.#simulated();
  }

  get calls(): number {
    return this.#calls;
  }

  /** Stands still until the outage begins, so that the run does not make signs of life for days meanwhile. */
  #simulated(): Clock {
    return {
      now: () => this.#time.now(),
      elapsedMs: () => this.#time.elapsedMs(),
      sleep: async (ms, signal) => {
        await abortable(this.#cutOff.promise, signal);
        await this.#time.sleep(ms, signal);
      },
    };
  }

  async backUp(signal = never): Promise<RecoveryPoint> {
    const directory = await mkdtemp(join(tmpdir(), "ovault-outages-"));
    try {
      await smallRepository(this.store, 512);
      const platform = new ModelPlatform();
      platform.disks.set("a", image);
      const repository = await reopen(retrying(this.#cut(this.store), { clock: this.clock }));
      return await backupVirtualMachine({
        vm: platform.vm(),
        strategy: new ModelStrategy(platform),
        store: repository,
        ledger: await FileLedger.open(directory),
        full: false,
        excludeDisks: [],
        taps: [],
        ifBusy: "refuse",
        signal,
        clock: this.clock,
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  /** What lies in the store, seen past the network. */
  async points(): Promise<readonly RecoveryPoint[]> {
    return (await (await reopen(this.store)).points.list(never)).points;
  }

  #cut(store: ObjectStore): ObjectStore {
    return watched(store, async (label, work) => {
      if (!label.includes("leases/")) this.#calls += 1;
      if (this.#calls === this.#outage.call && this.#downUntilMs === 0) {
        this.#downUntilMs = this.clock.elapsedMs() + this.#outage.ms;
        this.#cutOff.resolve();
        await this.onCut();
      }
      if (this.clock.elapsedMs() < this.#downUntilMs) {
        throw new StoreUnavailableError(`no route for ${label}`, { retry: "transient" });
      }
      return await work();
    });
  }
}

async function abortable(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(signal.reason);
  signal.addEventListener("abort", leave);
  await Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", leave));
}

async function callsOfRun(): Promise<number> {
  const run = new CutOffRun({ call: Number.POSITIVE_INFINITY, ms: 0 });
  await run.backUp();
  return run.calls;
}

const calls = await callsOfRun();
const callOfRun = fc.integer({ min: 1, max: calls });

test("a run survives that the store cannot be reached for minutes, longer than its lease lives, at any call", async () => {
  await fc.assert(
    fc.asyncProperty(callOfRun, fc.integer({ min: 3 * MINUTE_MS, max: 9 * MINUTE_MS }), async (call, ms) => {
      const run = new CutOffRun({ call, ms });
      const point = await run.backUp();
      expect(run.clock.elapsedMs()).toBeGreaterThan(ms);
      expect(await run.points()).toEqual([point]);
      expect(await restoredBytes(await reopen(run.store), point)).toEqual(image.bytes);
    }),
    { numRuns: 30 },
  );
});

test("a run whose store is away for longer than its patience fails with what the store said, and seals nothing", async () => {
  await fc.assert(
    fc.asyncProperty(callOfRun, async (call) => {
      const run = new CutOffRun({ call, ms: 60 * MINUTE_MS });
      await expect(run.backUp()).rejects.toMatchObject({ code: "E_STORE_UNAVAILABLE" });
      expect(await run.points()).toEqual([]);
    }),
    { numRuns: 15 },
  );
});

test("a run that waits for its store can be cancelled at once, but for seconds in which it tries to give its lease back", async () => {
  for (const call of [calls - 3, calls - 1, calls]) {
    const run = new CutOffRun({ call, ms: Number.POSITIVE_INFINITY }, systemClock);
    const cancelling = new AbortController();
    const backup = run.backUp(cancelling.signal);
    run.onCut = async () => void setTimeout(() => cancelling.abort(), 100);
    const startedMs = performance.now();
    await expect(backup).rejects.toMatchObject({ code: "E_CANCELLED" });
    expect(performance.now() - startedMs).toBeLessThan(6_000);
    expect(await run.points()).toEqual([]);
  }
});

test("a run that another node has replaced during the outage ends with the lease lost, and never seals", async () => {
  await fc.assert(
    fc.asyncProperty(callOfRun, fc.integer({ min: 1, max: 9 * MINUTE_MS }), async (call, ms) => {
      const run = new CutOffRun({ call, ms });
      let replaced = false;
      run.onCut = async () => (replaced = await replaceHolder(run.store));
      const outcome = await run.backUp().then(
        () => "sealed",
        (error: unknown) => (hasCode(error, "E_LEASE_LOST") ? "lost" : error),
      );
      expect([outcome, (await run.points()).length]).toEqual(replaced ? ["lost", 0] : ["sealed", 1]);
    }),
    { numRuns: 40 },
  );
});

/** What another node does that found the holder silent, and has ended since. False when there is no holder yet. */
async function replaceHolder(store: MemoryStore): Promise<boolean> {
  const [, resource] = [...store.objects.keys()].find((key) => key.startsWith(LEASES))?.split("/") ?? [];
  if (resource === undefined) return false;
  const folder = new LeaseFolder(store, resource);
  const { generation } = await folder.look(never);
  const claim = await folder.readClaim(generation, never);
  if (claim?.state !== "held") return false;
  const at = new Date().toISOString();
  for (const key of claim.seals) await putVoid(store, key, { runId: claim.holder.runId, at }, never);
  await folder.putClaim(generation + 1, { state: "free", at }, never);
  return true;
}
