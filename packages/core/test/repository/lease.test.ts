import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { type Clock, hasCode, type ObjectStore, processIdentity } from "@ovault/contract";
import { acquireLease, type Lease } from "../../src/leases/lease.ts";
import type { LeaseHolder } from "../../src/leases/lease-folder.ts";
import { FaultyStore, keysOf, MemoryStore, ScheduledStore, ScheduledTime } from "@ovault/testkit";

const never = new AbortController().signal;
const TTL_MS = 1000;
const RESOURCE = "vm-1";

const living = (runId: string): LeaseHolder => ({ ...processIdentity(), runId });
/** No process of this machine ever started so early. */
const dead = (runId: string): LeaseHolder => ({ ...living(runId), startTicks: 1 });
const elsewhere = (runId: string): LeaseHolder => ({ ...living(runId), node: "another", bootId: "another" });

interface Wish {
  readonly ifBusy?: "refuse" | "wait";
  readonly clock?: Clock;
  readonly ttlMs?: number;
  readonly signal?: AbortSignal;
  readonly seals?: () => Promise<readonly string[]>;
  readonly onDoubt?: (message: string) => void;
}

function acquire(store: ObjectStore, holder: LeaseHolder, wish: Wish = {}): Promise<Lease> {
  return acquireLease(store, { resource: RESOURCE, holder, ttlMs: TTL_MS, ifBusy: "refuse", signal: never, ...wish });
}

/** Sleeps until it is called off. */
function sleepForEver(_ms: number, signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

function sealedKey(name: string): string {
  return `points/${"0".repeat(32)}/${name}`;
}

/** A clock that the test sets. */
function stoppedClock() {
  let ms = 0;
  const clock: Clock = { now: () => new Date(ms), elapsedMs: () => ms, sleep: sleepForEver };
  return { clock, advance: (by: number) => (ms += by) };
}

describe("a lease", () => {
  test("held by a living process is refused to others, by name and with the next step, until it is released", async () => {
    const store = new MemoryStore();
    const lease = await acquire(store, living("run-a"));
    await lease.assertHeld(never);
    await expect(acquire(store, living("run-b"))).rejects.toMatchObject({
      code: "E_LEASE_HELD",
      message: expect.stringContaining("run-a"),
      hint: expect.stringContaining("`wait`"),
      context: { runId: "run-a", pid: process.pid, node: processIdentity().node },
    });
    await lease.release();
    await lease.release();
    const next = await acquire(store, living("run-b"));
    expect(next.generation).toBeGreaterThan(lease.generation);
    await next.release();
  });

  test("says when a run on which machine replaces a dead holder", async () => {
    const store = new MemoryStore();
    const lease = await acquire(store, living("run-a"));
    const [seconds, minutes] = [Math.ceil(TTL_MS / 1000), Math.ceil(TTL_MS / 60_000 + 10)];
    await expect(acquire(store, living("run-b"))).rejects.toMatchObject({
      hint:
        `Let it finish, or wait for it with \`wait\`. If it died, the next run on ${processIdentity().node} replaces it at ` +
        `once. A run on another machine replaces it ${seconds} s after its last sign of life with \`wait\`, or when it ` +
        `starts more than ${minutes} min after that.`,
    });
    await lease.release();
  });

  test("leaves one small object behind when it was released, however often", async () => {
    const store = new MemoryStore();
    for (let i = 0; i < 5; i++) {
      const lease = await acquire(store, living(`run-${i}`));
      await lease.assertHeld(never);
      await lease.assertHeld(never);
      expect(await keysOf(store)).toHaveLength(2);
      await lease.release();
      expect(await keysOf(store)).toHaveLength(1);
    }
  });

  test("of another resource is another lease", async () => {
    const store = new MemoryStore();
    const options = { holder: living("run-a"), ttlMs: TTL_MS, ifBusy: "refuse", signal: never } as const;
    const leases = await Promise.all(["vm-1", "vm-2"].map((resource) => acquireLease(store, { ...options, resource })));
    for (const lease of leases) {
      await expect(lease.assertHeld(never)).resolves.toBeUndefined();
      await lease.release();
    }
  });

  test("names what its holder seals as of the moment when it was free", async () => {
    const store = new MemoryStore();
    const first = await acquire(store, living("run-a"), { seals: () => Promise.resolve([sealedKey("first")]) });
    let isFree = false;
    const seals = (): Promise<readonly string[]> => Promise.resolve([sealedKey(isFree ? "after" : "before")]);
    const waiting = acquire(store, living("run-b"), { ifBusy: "wait", ttlMs: 100, seals });
    await new Promise((resolve) => setTimeout(resolve, 300));
    isFree = true;
    await first.release();
    const second = await waiting;
    const claims = (await keysOf(store)).filter((name) => /\/\d+$/.test(name));
    const claim = Buffer.from(await store.get(claims.at(-1) ?? "", { signal: never })).toString();
    expect(claim).toContain(sealedKey("after"));
    await second.release();
  });

  test("of a dead process of this machine is taken over at once, by one of many", async () => {
    const store = new MemoryStore();
    await acquire(store, dead("run-a"));
    const takers = await Promise.allSettled([1, 2, 3, 4].map((i) => acquire(store, living(`taker-${i}`))));
    const won = takers.filter((taker) => taker.status === "fulfilled");
    const lost = takers.filter((taker) => taker.status === "rejected");
    expect(won).toHaveLength(1);
    expect(lost.map((taker) => taker.reason)).toEqual(Array(3).fill(expect.objectContaining({ code: "E_LEASE_HELD" })));
    await won[0]?.value.release();
  });

  test("of another node is refused while it may live; long after it expired it is taken over, when no beat comes", async () => {
    const store = new MemoryStore();
    const { clock, advance } = stoppedClock();
    await acquire(store, elsewhere("run-a"), { clock });
    advance(TTL_MS + 9 * 60_000);
    await expect(acquire(store, living("run-b"), { clock })).rejects.toMatchObject({ code: "E_LEASE_HELD" });
    advance(2 * 60_000);
    const doubts: string[] = [];
    const began = clock.elapsedMs();
    const watching = { ...clock, sleep: async (ms: number) => void advance(ms) };
    const lease = await acquire(store, living("run-b"), {
      clock: watching,
      onDoubt: (message) => doubts.push(message),
    });
    expect(clock.elapsedMs() - began).toBeGreaterThanOrEqual(TTL_MS);
    expect(doubts).toEqual([expect.stringContaining("run-a")]);
    await lease.release();
  });

  test("of this machine is kept by a living process, however long it is past its time", async () => {
    const store = new MemoryStore();
    const { clock, advance } = stoppedClock();
    const lease = await acquire(store, living("run-a"), { clock });
    advance(24 * 60 * 60_000);
    const wish = { clock: { ...clock, sleep: () => Promise.reject(new Error("it waited")) } };
    await expect(acquire(store, living("run-b"), wish)).rejects.toMatchObject({ code: "E_LEASE_HELD" });
    await lease.assertHeld(never);
    await lease.release();
  });

  test("of a run that beats is not taken over by a node whose clock is wrong, whatever that says", async () => {
    const skews = fc.integer({ min: -400, max: 400 });
    const pauses = fc.array(fc.integer({ min: 1, max: TTL_MS * 0.7 }), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(skews, pauses, fc.constantFrom("wait", "refuse"), async (skewHours, beatsAfter, ifBusy) => {
        const store = new MemoryStore();
        const { clock, advance } = stoppedClock();
        const lease = await acquire(store, elsewhere("run-a"), { clock });
        const quits = new AbortController();
        let beats = 0;
        let looks = 0;
        let nextBeatMs = beatsAfter[0] ?? 0;
        const watching = {
          now: () => new Date(clock.now().getTime() + skewHours * 60 * 60_000),
          elapsedMs: clock.elapsedMs,
          sleep: async (ms: number) => {
            advance(ms);
            for (; clock.elapsedMs() >= nextBeatMs; nextBeatMs += beatsAfter[beats % beatsAfter.length] ?? 0) {
              await lease.assertHeld(never);
              beats += 1;
            }
            if ((looks += 1) > 20) quits.abort();
          },
        };
        const taking = acquire(store, living("run-b"), { clock: watching, ifBusy, signal: quits.signal });
        await expect(taking).rejects.toMatchObject(
          ifBusy === "wait" ? { name: "AbortError" } : { code: "E_LEASE_HELD" },
        );
        await lease.assertHeld(never);
        await lease.release();
      }),
    );
  });

  test("is not silent while the store answers no call: that time does not count", async () => {
    const store = new MemoryStore();
    const { clock, advance } = stoppedClock();
    const ttlMs = 120_000;
    await acquire(store, elsewhere("run-a"), { clock, ttlMs });
    let slept = 0;
    const outage = {
      ...clock,
      sleep: async (ms: number) => {
        slept += 1;
        // The look that follows is answered late.
        advance(slept === 3 ? ttlMs * 2 : ms);
      },
    };
    const began = clock.elapsedMs();
    await (await acquire(store, living("run-b"), { clock: outage, ifBusy: "wait" })).release();
    expect(clock.elapsedMs() - began).toBeGreaterThanOrEqual(3 * ttlMs);
  });

  test("of the last number there can be is damaged, and not waited for", async () => {
    const store = new MemoryStore();
    const lease = await acquire(store, living("run-a"));
    await lease.release();
    const [key = ""] = await keysOf(store);
    store.objects.set(`leases/${RESOURCE}/99999999`, store.objects.get(key) ?? Buffer.alloc(0));
    await expect(acquire(store, living("run-b"))).rejects.toMatchObject({
      code: "E_INTEGRITY",
      context: { key: `leases/${RESOURCE}/99999999` },
      hint: expect.stringContaining("delete"),
    });
  });

  test("with a foreign beat is kept by its holder, which deletes that beat", async () => {
    const store = new MemoryStore();
    const { clock, advance } = stoppedClock();
    const lease = await acquire(store, elsewhere("run-a"), { clock });
    await lease.assertHeld(never);
    const [, beat = ""] = await keysOf(store);
    store.objects.set(beat.replace(/\d+$/, "99999999"), store.objects.get(beat) ?? Buffer.alloc(0));
    let slept = 0;
    const watching = {
      ...clock,
      sleep: async (ms: number) => {
        advance(ms);
        if ((slept += 1) % 2 === 0) await lease.assertHeld(never);
      },
    };
    advance(60 * 60_000);
    await expect(acquire(store, living("run-b"), { clock: watching })).rejects.toMatchObject({ code: "E_LEASE_HELD" });
    expect(await keysOf(store)).toHaveLength(2);
    await lease.release();
  });

  test("that was taken over is lost: its signal aborts, and nothing is sealed under it", async () => {
    const store = new MemoryStore();
    const lease = await acquire(store, dead("run-a"));
    const taker = await acquire(store, living("run-b"));
    await expect(lease.assertHeld(never)).rejects.toMatchObject({ code: "E_LEASE_LOST" });
    expect(lease.signal.reason).toMatchObject({ code: "E_LEASE_LOST", context: { runId: "run-a" } });
    await lease.release();
    await taker.assertHeld(never);
    await taker.release();
  });

  test("that is damaged has no known holder, and the error says which object to delete", async () => {
    const store = new MemoryStore();
    const lease = await acquire(store, living("run-a"));
    const [key = ""] = await keysOf(store);
    store.objects.set(key, Buffer.concat([store.objects.get(key) ?? Buffer.alloc(0), Buffer.from("x")]));
    await expect(acquire(store, living("run-b"))).rejects.toMatchObject({ code: "E_INTEGRITY", context: { key } });
    await lease.release();
  });

  test("that is waited for can be waited for no longer", async () => {
    const store = new MemoryStore();
    const lease = await acquire(store, living("run-a"));
    const controller = new AbortController();
    const waiting = acquire(store, living("run-b"), { ifBusy: "wait", signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await lease.assertHeld(never);
    await lease.release();
  });

  test("is kept alive on a real clock, and a waiting run takes over one that is not renewed", async () => {
    const store = new MemoryStore();
    const { clock } = stoppedClock();
    const beating = await acquire(store, elsewhere("run-a"), { ttlMs: 400 });
    const waiting = acquire(store, living("run-b"), { ifBusy: "wait" });
    while (!(await keysOf(store)).some((key) => key.endsWith(".00000003"))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await beating.release();
    await (await waiting).release();

    const silent = await acquire(store, elsewhere("run-c"), { ttlMs: 50, clock });
    const next = await acquire(store, living("run-d"), { ifBusy: "wait" });
    await expect(silent.assertHeld(never)).rejects.toMatchObject({ code: "E_LEASE_LOST" });
    await next.release();
  });
});

describe("leases under every interleaving", () => {
  interface Pass {
    readonly generation: number;
    readonly began: number;
    readonly ended: number;
  }

  test("no two hold it: once a later holder was confirmed, no earlier one is", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ skewMs: fc.integer({ min: -9, max: 9 }), checks: fc.nat(3) }), {
          minLength: 2,
          maxLength: 4,
        }),
        async (scheduler, contenders) => {
          const memory = new MemoryStore();
          const store = new ScheduledStore(memory, scheduler);
          const time = new ScheduledTime(scheduler);
          const passes: Pass[] = [];
          let step = 0;
          const run = async ({ skewMs, checks }: { skewMs: number; checks: number }, n: number) => {
            const clock = time.clock(skewMs * 60_000);
            const lease = await acquire(store, elsewhere(`run-${n}`), { ifBusy: "wait", clock });
            try {
              for (let i = 0; i <= checks; i++) {
                const began = step++;
                await lease.assertHeld(never);
                passes.push({ generation: lease.generation, began, ended: step++ });
              }
            } catch (error) {
              if (!hasCode(error, "E_LEASE_LOST")) throw error;
            } finally {
              await lease.release();
            }
            return lease.generation;
          };
          const generations = await scheduler.waitFor(Promise.all(contenders.map(run)));
          expect(new Set(generations).size).toBe(contenders.length);
          const wrong = passes.filter((late) =>
            passes.some((early) => early.generation > late.generation && early.ended < late.began),
          );
          expect(wrong).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("whatever call a holder dies at, the next one gets the lease", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom("before", "after"),
        fc.constantFrom(dead, elsewhere),
        async (scheduler, call, when, who) => {
          const memory = new MemoryStore();
          const time = new ScheduledTime(scheduler);
          const dying = new FaultyStore(new ScheduledStore(memory, scheduler), { call, when, forGood: true });
          const life = async () => {
            // Who is dead gives no more signs of life.
            const clock = { ...time.clock(), sleep: sleepForEver };
            const lease = await acquire(dying, who("run-a"), { clock });
            await lease.assertHeld(never);
            await lease.release();
          };
          await scheduler.waitFor(life().catch(() => undefined));
          const next = acquire(new ScheduledStore(memory, scheduler), living("run-b"), {
            clock: time.clock(),
            ifBusy: "wait",
          });
          const lease = await scheduler.waitFor(next);
          await scheduler.waitFor(lease.assertHeld(never));
          await scheduler.waitFor(lease.release());
          expect(await keysOf(memory)).toHaveLength(1);
        },
      ),
      { numRuns: 100 },
    );
  });
});
