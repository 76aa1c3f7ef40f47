import { randomUUID } from "node:crypto";

import {
  type ObjectKey,
  type ObjectStore,
  LeaseHeldError,
  LeaseLostError,
  type Clock,
  systemClock,
} from "@ovault/contract";
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
  /**
   * `refuse` rejects with LeaseHeldError: at once, or after one `ttlMs` in which a holder that seemed dead has given a sign
   * of life. `wait` looks on until the lease is free or its holder dead.
   */
  readonly ifBusy: "refuse" | "wait";
  /**
   * Chooses the keys of the manifests that this run may put; called right before each claim, when earlier holders can put
   * no more. When this run is found silent, these keys are made void before another takes its place: a run that was
   * suspended can never seal after its time, in whatever moment it wakes.
   */
  readonly seals?: (signal: AbortSignal) => Promise<readonly ObjectKey[]>;
  /** Called once, before the run waits for a sign of life of this holder. `message`: one line for people. */
  readonly onDoubt?: ((message: string) => void) | undefined;
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
  /** Looks into the store. @throws LeaseLostError when another has taken over. */
  assertHeld(signal: AbortSignal): Promise<void>;
  /**
   * Proves the lease once more and calls `put`, which puts a manifest that the claim names. When it fails, that manifest is
   * made void, unless it is there, before the lease is given back: a put that arrives late arrives nowhere.
   * @throws LeaseLostError when another has taken over; whatever `put` throws
   */
  seal(put: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
  /**
   * Says, durably when this resolves and in every sign of life from then on, that this run has read these condemned
   * documents and relies on nothing that they condemn.
   */
  acknowledge(documents: readonly string[], signal: AbortSignal): Promise<void>;
  /** Never throws: a lease that cannot be given back is found silent by the next one. */
  release(): Promise<void>;
}

/** Between two tries at a lease that is free. */
const SHORT_POLL_MS = 200;
/** For giving back, which happens when the run's own signal may long be aborted. */
const RELEASE_MS = 30_000;
/** The same for a cancelled run: a person waits, and a store that does not answer is waited for by nothing else then. */
const CANCELLED_RELEASE_MS = 3_000;

/**
 * Acquires the lease on a resource, with nothing but put-if-absent, list and delete. On a store without conditional
 * puts it is a courtesy between holders, not a guarantee.
 * @throws LeaseHeldError naming the holder when it is held and `ifBusy` is `refuse`.
 */
export async function acquireLease(store: ObjectStore, options: LeaseOptions): Promise<Lease> {
  const { ifBusy, onDoubt, signal, clock = systemClock } = options;
  const folder = new LeaseFolder(store, options.resource);
  const watch = new LeaseWatch(folder, clock);
  let doubted = false;
  for (;;) {
    signal.throwIfAborted();
    const state = await folder.look(signal);
    const current = await folder.readClaim(state.generation, signal);
    if (current?.state === "held") {
      const life = await watch.look(state, current, signal);
      if (life === "living" && ifBusy === "refuse") throw heldError(options, current);
      if (life === "doubtful" && !doubted) onDoubt?.(doubtAbout(options, current));
      doubted ||= life === "doubtful";
      if (life !== "dead") {
        await watch.pause(current, signal);
        continue;
      }
      await fence(store, current, clock, signal);
    }
    // Gone since the listing: somebody was faster, or the listing is an NFS client's old one.
    const isGone = current === undefined && state.generation > 0;
    const lease = isGone ? undefined : await tryClaim(store, folder, state, options);
    if (lease !== undefined) return lease;
    await clock.sleep(SHORT_POLL_MS, signal);
  }
}

/**
 * Whether a run would get the lease: no run holds it, or one that is dead or will be found so, unless a sign of life comes
 * while it is watched. Waits for nothing and changes nothing.
 */
export async function isLeaseFree(
  store: ObjectStore,
  resource: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  const folder = new LeaseFolder(store, resource);
  const state = await folder.look(signal);
  const claim = await folder.readClaim(state.generation, signal);
  return claim?.state !== "held" || (await new LeaseWatch(folder, clock).look(state, claim, signal)) !== "living";
}

/** From here on the silent run seals nothing, even if nobody replaces it after all. */
async function fence(
  store: ObjectStore,
  { holder, seals }: Pick<HeldClaim, "holder" | "seals">,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (const key of seals) await putVoid(store, key, { runId: holder.runId, at: clock.now().toISOString() }, signal);
}

/** Undefined when somebody else was faster. */
async function tryClaim(
  store: ObjectStore,
  folder: LeaseFolder,
  seen: LeaseState,
  options: LeaseOptions,
): Promise<Lease | undefined> {
  const { holder, ttlMs, signal } = options;
  const generation = folder.generationAfter(seen);
  const token = randomUUID();
  const seals = (await options.seals?.(signal)) ?? [];
  const lease = new ClaimedLease(store, folder, { generation, seals }, options);
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
  readonly #store: ObjectStore;
  readonly #folder: LeaseFolder;
  readonly #seals: readonly ObjectKey[];
  readonly #options: LeaseOptions;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  readonly #released = new AbortController();
  #acknowledged: readonly string[] = [];
  #beats = 0;
  /** The put of a manifest has begun, and did not end well: the store may carry it out at any time. */
  #sealPending = false;
  /** One beat at a time. */
  #lastBeat: Promise<void> = Promise.resolve();

  constructor(
    store: ObjectStore,
    folder: LeaseFolder,
    { generation, seals }: { readonly generation: number; readonly seals: readonly ObjectKey[] },
    options: LeaseOptions,
  ) {
    this.generation = generation;
    this.#store = store;
    this.#folder = folder;
    this.#seals = seals;
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

  async seal(put: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.assertHeld(signal);
    signal.throwIfAborted();
    this.#sealPending = true;
    await put(signal);
    this.#sealPending = false;
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
    const signal = AbortSignal.timeout(this.#options.signal.aborted ? CANCELLED_RELEASE_MS : RELEASE_MS);
    try {
      const claim = { holder: this.#options.holder, seals: this.#seals };
      if (this.#sealPending) await fence(this.#store, claim, this.#clock, signal);
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
      `that waits does so after ${seconds} s without a sign of life. So does any other that starts ${minutes} min later.`,
  });
}

function doubtAbout(
  { resource, title = resource }: Pick<LeaseOptions, "resource" | "title">,
  { holder, ttlMs }: HeldClaim,
): string {
  const { node, pid, runId } = holder;
  const seconds = Math.ceil(ttlMs / 1000);
  return (
    `run ${runId} (process ${pid} on ${node}), which holds ${title}, seems dead by this machine's clock: ` +
    `waiting ${seconds} s for a sign of life`
  );
}

function lostError({ resource, title = resource, holder }: LeaseOptions, generation: number): LeaseLostError {
  return new LeaseLostError(`run ${holder.runId} was silent for too long: another has taken over ${title}`, {
    context: { resource, runId: holder.runId, generation },
    hint: "Was this machine suspended, or cut off from the destination? Start the run again when the other one is done.",
  });
}
