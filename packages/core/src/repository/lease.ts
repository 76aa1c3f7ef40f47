import { randomUUID } from "node:crypto";

import type { ObjectKey, ObjectStore } from "../contract/object-store.ts";
import { LeaseHeldError, LeaseLostError } from "../errors/errors.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { type HeldClaim, LeaseFolder, type LeaseHolder, type LeaseState } from "./lease-folder.ts";
import { CLOCK_MARGIN_MS, LeaseWatch } from "./lease-watch.ts";
import { putVoid } from "./void.ts";

export interface LeaseOptions {
  /** What only one may do at a time; one name of an object key. */
  readonly resource: string;
  /** The same for people, to follow "has held": "virtual machine web01". */
  readonly title?: string;
  readonly holder: LeaseHolder;
  /** A holder that gives no sign of life for so long may be replaced. It gives four in that time. */
  readonly ttlMs: number;
  /** `refuse` rejects at once with LeaseHeldError; `wait` looks on until the lease is free or its holder dead. */
  readonly ifBusy: "refuse" | "wait";
  /**
   * Keys of the manifests that this run is going to put. When it is found silent they are made void before another takes
   * its place: a run that was suspended can never seal after its time, in whatever moment it wakes. A function is called
   * for each claim that is put, when the lease is free: no earlier holder seals anything from then on.
   */
  readonly seals?: readonly ObjectKey[] | (() => Promise<readonly ObjectKey[]>);
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/** The right to be the only one, for as long as nobody found this holder silent. Whoever has it must release it. */
export interface Lease {
  /** Rises with every holder; never comes twice. */
  readonly generation: number;
  /** Of the holder. */
  readonly runId: string;
  /** Aborts with LeaseLostError when another has taken over. */
  readonly signal: AbortSignal;
  /** To be called before a seal. Looks into the store. @throws LeaseLostError when another has taken over. */
  assertHeld(signal: AbortSignal): Promise<void>;
  /**
   * Says, durably when this resolves and in every sign of life from then on, that this run has read these condemned
   * documents and relies on nothing that they condemn.
   */
  acknowledge(documents: readonly string[], signal: AbortSignal): Promise<void>;
  /** Never throws: a lease that cannot be given back is found silent by the next one. */
  release(): Promise<void>;
}

/** Between two looks at a lease that is held. */
const LONGEST_POLL_MS = 5_000;
/** Between two tries at a lease that is free. */
const SHORT_POLL_MS = 200;
/** For giving back, which happens when the run's own signal may long be aborted. */
const RELEASE_MS = 30_000;

/**
 * Acquires the lease on a resource, with nothing but put-if-absent, list and delete. On a store without conditional
 * puts it is a courtesy between holders, not a guarantee.
 * @throws LeaseHeldError naming the holder when it is held and `ifBusy` is `refuse`.
 */
export async function acquireLease(store: ObjectStore, options: LeaseOptions): Promise<Lease> {
  const { ifBusy, signal, clock = systemClock } = options;
  const folder = new LeaseFolder(store, options.resource);
  const watch = new LeaseWatch(folder, clock);
  for (;;) {
    signal.throwIfAborted();
    const state = await folder.look(signal);
    const current = await folder.readClaim(state.generation, signal);
    if (current?.state === "held" && !(await watch.isStale(state, current, signal))) {
      if (ifBusy === "refuse") throw heldError(options, current);
      await clock.sleep(Math.min(current.ttlMs / 4, LONGEST_POLL_MS), signal);
      continue;
    }
    if (current?.state === "held") await fence(store, current, clock, signal);
    // Gone since the listing: somebody was faster, or the listing is an NFS client's old one.
    const lease = current === undefined && state.generation > 0 ? undefined : await tryClaim(folder, state, options);
    if (lease !== undefined) return lease;
    await clock.sleep(SHORT_POLL_MS, signal);
  }
}

/** Whether nobody holds the lease, or somebody who is dead or long silent. Changes nothing. */
export async function isLeaseFree(
  store: ObjectStore,
  resource: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  const folder = new LeaseFolder(store, resource);
  const state = await folder.look(signal);
  const claim = await folder.readClaim(state.generation, signal);
  return claim?.state !== "held" || (await new LeaseWatch(folder, clock).isStale(state, claim, signal));
}

/** From here on the silent run seals nothing, even if nobody replaces it after all. */
async function fence(store: ObjectStore, claim: HeldClaim, clock: Clock, signal: AbortSignal): Promise<void> {
  const { holder, seals } = claim;
  for (const key of seals) await putVoid(store, key, { runId: holder.runId, at: clock.now().toISOString() }, signal);
}

/** Undefined when somebody else was faster. */
async function tryClaim(folder: LeaseFolder, seen: LeaseState, options: LeaseOptions): Promise<Lease | undefined> {
  const { holder, ttlMs, signal } = options;
  const seals = typeof options.seals === "function" ? await options.seals() : (options.seals ?? []);
  const generation = seen.generation + 1;
  const token = randomUUID();
  const lease = new ClaimedLease(folder, generation, options);
  try {
    const claim = { state: "held", token, holder, ttlMs, seals, ...lease.times() } as const;
    await folder.putClaim(generation, claim, signal);
    if (!(await isOurs(folder, generation, token, signal))) return undefined;
    // Our generation may have come and gone while we were slow: then a higher one rules.
    const state = await folder.look(signal);
    if (state.generation !== generation) {
      await folder.deleteClaim(generation, signal);
      return undefined;
    }
    await folder.deleteBelow(state, generation, 0, signal);
    lease.start();
    return lease;
  } catch (error) {
    await giveBackIfOurs(folder, generation, token, lease);
    throw error;
  }
}

/** By content: the answer to the put may have been lost, and the put repeated. */
async function isOurs(folder: LeaseFolder, generation: number, token: string, signal: AbortSignal): Promise<boolean> {
  const claim = await folder.readClaim(generation, signal);
  return claim?.state === "held" && claim.token === token;
}

async function giveBackIfOurs(folder: LeaseFolder, generation: number, token: string, lease: Lease): Promise<void> {
  const signal = AbortSignal.timeout(RELEASE_MS);
  // When not even this can be found out, the claim counts as silent in time.
  if (await isOurs(folder, generation, token, signal).catch(() => false)) await lease.release();
}

class ClaimedLease implements Lease {
  readonly generation: number;
  readonly #folder: LeaseFolder;
  readonly #options: LeaseOptions;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  readonly #released = new AbortController();
  #acknowledged: readonly string[] = [];
  #beats = 0;
  /** One beat at a time. */
  #lastBeat: Promise<void> = Promise.resolve();

  constructor(folder: LeaseFolder, generation: number, options: LeaseOptions) {
    this.generation = generation;
    this.#folder = folder;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get runId(): string {
    return this.#options.holder.runId;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  times(): { at: string; expiresAt: string } {
    const now = this.#clock.now();
    return { at: now.toISOString(), expiresAt: new Date(now.getTime() + this.#options.ttlMs).toISOString() };
  }

  /** Gives signs of life from now on. */
  start(): void {
    void this.#keepBeating();
  }

  async assertHeld(signal: AbortSignal): Promise<void> {
    AbortSignal.any([signal, this.signal]).throwIfAborted();
    await this.#beat(signal);
    this.signal.throwIfAborted();
  }

  async acknowledge(documents: readonly string[], signal: AbortSignal): Promise<void> {
    if (documents.length === 0) return;
    this.#acknowledged = documents;
    await this.#beat(signal);
  }

  async release(): Promise<void> {
    if (this.#released.signal.aborted) return;
    this.#released.abort();
    await this.#lastBeat.catch(() => undefined);
    const signal = AbortSignal.timeout(RELEASE_MS);
    try {
      // The next generation may be taken already: then that one rules, and this changes nothing.
      await this.#folder.putClaim(this.generation + 1, { state: "free", at: this.times().at }, signal);
      await this.#folder.deleteBelow(await this.#folder.look(signal), this.generation + 1, 0, signal);
    } catch {
      // The contract of `release`.
    }
  }

  async #keepBeating(): Promise<void> {
    const stop = AbortSignal.any([this.#released.signal, this.signal]);
    while (!stop.aborted) {
      try {
        await this.#clock.sleep(this.#options.ttlMs / 4, stop);
        await this.#beat(stop);
      } catch {
        // The store fails, or we stop. A missed beat harms only if somebody takes over, which the next one shows.
      }
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    this.#lastBeat = this.#lastBeat.catch(() => undefined).then(() => this.#beatNow(signal));
    await this.#lastBeat;
  }

  /** Writes before it looks: an NFS client that has just changed a directory does not list it from its cache. */
  async #beatNow(signal: AbortSignal): Promise<void> {
    this.#beats += 1;
    const beat = { ...this.times(), acknowledged: this.#acknowledged };
    await this.#folder.putBeat(this.generation, this.#beats, beat, signal);
    const state = await this.#folder.look(signal);
    const held = state.objects.some((object) => object.beat === 0 && object.generation === this.generation);
    if (!held || state.generation > this.generation) this.#lost.abort(lostError(this.#options, state.generation));
    else await this.#folder.deleteBelow(state, this.generation, this.#beats, signal);
  }
}

function heldError({ resource, title = resource }: LeaseOptions, { holder, at, ttlMs }: HeldClaim): LeaseHeldError {
  const { node, pid, runId } = holder;
  const seconds = Math.ceil(ttlMs / 1000);
  const minutes = Math.ceil((ttlMs + CLOCK_MARGIN_MS) / 60_000);
  return new LeaseHeldError(`run ${runId} (process ${pid} on ${node}) has held ${title} since ${at}`, {
    context: { resource, runId, node, pid, since: at },
    hint:
      `Let it finish, or wait for it with --wait. If it died: on ${node} the next run replaces it at once, elsewhere one ` +
      `that waits does so after ${seconds} s, and any other after ${minutes} min.`,
  });
}

function lostError({ resource, title = resource, holder }: LeaseOptions, generation: number): LeaseLostError {
  return new LeaseLostError(`run ${holder.runId} was silent for too long: another has taken over ${title}`, {
    context: { resource, runId: holder.runId, generation },
    hint: "Was this machine suspended, or cut off from the destination? Start the run again when the other one is done.",
  });
}
