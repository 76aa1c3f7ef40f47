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
import { endClaim, releaseLater } from "./ended-claims.ts";
import { isHold } from "./hold-lease.ts";
import { putVoid } from "./void.ts";

export interface LeaseOptions {
  /** What only one run may do at a time; one segment of an object key. */
  readonly resource: string;
  /** The resource in words, to follow "has held": "virtual machine web01". */
  readonly title?: string;
  readonly holder: LeaseHolder;
  /**
   * Time to live. The holder beats every `ttlMs / 4`; after a full `ttlMs` without a beat another run may take over.
   */
  readonly ttlMs: number;
  /**
   * `refuse` rejects with LeaseHeldError: at once, or after one `ttlMs` in which a holder that seemed dead has beaten.
   * `wait` watches until the lease is free or its holder dead.
   */
  readonly ifBusy: "refuse" | "wait";
  /**
   * Chooses the keys of the manifests that this run may put. Called right before each claim, when earlier holders can
   * put no more. A run that finds this one silent voids these keys before it takes over, so a suspended run cannot seal
   * after it has been replaced.
   */
  readonly seals?: (signal: AbortSignal) => Promise<readonly ObjectKey[]>;
  /** Keys of the manifests of points that the holder reads: prune keeps what these need. */
  readonly holds?: readonly ObjectKey[];
  /** Called for each holder that the run waits for. `message`: one line for people. */
  readonly onWait?: ((message: string) => void) | undefined;
  /** Called once, before the run waits for a beat of this holder. `message`: one line for people. */
  readonly onDoubt?: ((message: string) => void) | undefined;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/** The exclusive right to a resource, until another run finds this holder silent. The holder must release it. */
export interface Lease {
  /** Rises with every holder; never comes twice. */
  readonly generation: number;
  /** The run that holds it. */
  readonly runId: string;
  /** Aborts with LeaseLostError when another run has taken over. */
  readonly signal: AbortSignal;
  /** Checks the lease in the store. @throws LeaseLostError when another run has taken over */
  assertHeld(signal: AbortSignal): Promise<void>;
  /**
   * Proves the lease once more and calls `put`, which puts a manifest that the claim names. If it fails, that manifest
   * is voided, unless it exists, before the lease is released: a put that arrives late has no effect.
   * @throws LeaseLostError when another run has taken over; whatever `put` throws
   */
  seal(put: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
  /**
   * States that this run has read these condemned documents and relies on nothing that they condemn: durably when this
   * resolves, and in every beat from then on.
   */
  acknowledge(documents: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Never throws. What the store does not release now is released later, while this process lives. The next run of this
   * process takes over at once, and those of others when they find the lease silent.
   */
  release(): Promise<void>;
}

/** Pause between two tries at a free lease. */
const SHORT_POLL_MS = 200;
/** Limit for the release, which often runs after the run's own signal was aborted. */
const RELEASE_MS = 30_000;
/** The same for a cancelled run: a person waits, and nothing else still waits for a store that does not answer. */
const CANCELLED_RELEASE_MS = 3_000;

/**
 * Acquires the lease on a resource, with nothing but put-if-absent, list and delete. On a store without conditional
 * puts it is a courtesy between holders, not a guarantee.
 * @throws LeaseHeldError naming the holder when it is held and `ifBusy` is `refuse`.
 */
export async function acquireLease(store: ObjectStore, options: LeaseOptions): Promise<Lease> {
  const { ifBusy, onWait, onDoubt, signal, clock = systemClock } = options;
  const folder = new LeaseFolder(store, options.resource);
  const watch = new LeaseWatch(folder, clock);
  let doubted = false;
  let awaited: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const state = await folder.look(signal);
    const current = await folder.readClaim(state.generation, signal);
    if (current?.state === "held") {
      const life = await watch.look(state, current, signal);
      if (life === "living" && ifBusy === "refuse") throw heldError(options, current);
      if (life === "living" && awaited !== current.token) onWait?.(describeHolder(options, current));
      awaited = current.token;
      if (life === "doubtful" && !doubted) onDoubt?.(doubtAbout(options, current));
      doubted ||= life === "doubtful";
      if (life !== "dead") {
        await watch.pause(current, signal);
        continue;
      }
      await fence(store, current, clock, signal);
    }
    // Gone since the listing: another run was faster, or the listing is an NFS client's old one.
    const isGone = current === undefined && state.generation > 0;
    const lease = isGone ? undefined : await tryClaim(store, folder, state, options);
    if (lease !== undefined) return lease;
    await clock.sleep(SHORT_POLL_MS, signal);
  }
}

/**
 * Whether a run would get the lease: it is free, or its holder is dead or will be found so unless it beats while the
 * run watches. Waits for nothing and changes nothing.
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

/** From here on the silent run cannot seal, even if no run replaces it after all. */
async function fence(
  store: ObjectStore,
  { holder, seals }: Pick<HeldClaim, "holder" | "seals">,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (const key of seals) await putVoid(store, key, { runId: holder.runId, at: clock.now().toISOString() }, signal);
}

/** Undefined when another run was faster. */
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
  const lease = new ClaimedLease(store, folder, { generation, token, seals }, options);
  try {
    const holds = options.holds ?? [];
    const claim = { state: "held", token, holder, ttlMs, seals, holds, ...lease.times() } as const;
    await folder.putClaim(generation, claim, signal);
    if (!(await isOurs(folder, generation, token, signal))) return undefined;
    // Our generation may have come and gone in the meantime: then a higher one rules.
    const state = await folder.look(signal);
    if (state.generation !== generation) {
      await folder.deleteClaim(generation, signal);
      return undefined;
    }
    await folder.deleteBelow(state, generation, 0, signal);
    lease.start();
    return lease;
  } catch (error) {
    // Also where the claim is not there: its put may arrive late.
    endClaim({ token, holder });
    const giveBack = (): Promise<void> => giveBackIfOurs(folder, generation, token, lease);
    await giveBack().catch(() => releaseLater(giveBack));
    throw error;
  }
}

/** Compares the content: the answer to the put may have been lost, and the put repeated. */
async function isOurs(folder: LeaseFolder, generation: number, token: string, signal: AbortSignal): Promise<boolean> {
  const claim = await folder.readClaim(generation, signal);
  return claim?.state === "held" && claim.token === token;
}

async function giveBackIfOurs(folder: LeaseFolder, generation: number, token: string, lease: Lease): Promise<void> {
  if (await isOurs(folder, generation, token, AbortSignal.timeout(RELEASE_MS))) await lease.release();
}

interface ClaimParts {
  readonly generation: number;
  readonly token: string;
  readonly seals: readonly ObjectKey[];
}

class ClaimedLease implements Lease {
  readonly generation: number;
  readonly #store: ObjectStore;
  readonly #folder: LeaseFolder;
  readonly #token: string;
  readonly #seals: readonly ObjectKey[];
  readonly #options: LeaseOptions;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  readonly #released = new AbortController();
  #acknowledged: readonly string[] = [];
  #beats = 0;
  /** The put of a manifest has begun and did not succeed: the store may still carry it out. */
  #sealPending = false;
  /** One beat at a time. */
  #lastBeat: Promise<void> = Promise.resolve();

  constructor(
    store: ObjectStore,
    folder: LeaseFolder,
    { generation, token, seals }: ClaimParts,
    options: LeaseOptions,
  ) {
    this.generation = generation;
    this.#store = store;
    this.#folder = folder;
    this.#token = token;
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

  /** Beats from now on. */
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
    try {
      await this.#giveBack(this.#options.signal.aborted ? CANCELLED_RELEASE_MS : RELEASE_MS);
    } catch {
      endClaim({ token: this.#token, holder: this.#options.holder });
      releaseLater(() => this.#giveBack(RELEASE_MS));
    }
  }

  async #giveBack(limitMs: number): Promise<void> {
    const signal = AbortSignal.timeout(limitMs);
    const claim = { holder: this.#options.holder, seals: this.#seals };
    if (this.#sealPending) await fence(this.#store, claim, this.#clock, signal);
    if (isHold(this.#options.resource)) return await this.#folder.deleteAll(signal);
    // The next generation may be taken already: then that one rules, and this put changes nothing.
    await this.#folder.putClaim(this.generation + 1, { state: "free", at: this.times().at }, signal);
    // Where it is taken, its holder's beat stays.
    const state = await this.#folder.look(signal);
    await this.#folder.deleteBelow(state, this.generation + 1, state.beat, signal);
  }

  async #keepBeating(): Promise<void> {
    const stop = AbortSignal.any([this.#released.signal, this.signal]);
    while (!stop.aborted) {
      try {
        await this.#clock.sleep(this.#options.ttlMs / 4, stop);
        await this.#beat(stop);
      } catch {
        // The store fails, or the run stops. A missed beat harms only if another run takes over, which the next beat
        // shows.
      }
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    this.#lastBeat = this.#lastBeat.catch(() => undefined).then(() => this.#beatNow(signal));
    await this.#lastBeat;
  }

  /** Puts before it lists: an NFS client that has just changed a directory does not list it from its cache. */
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

function describeHolder(
  { resource, title = resource }: Pick<LeaseOptions, "resource" | "title">,
  { holder: { runId, pid, node }, at }: HeldClaim,
): string {
  return `run ${runId} (process ${pid} on ${node}) has held ${title} since ${at}`;
}

function heldError(options: LeaseOptions, claim: HeldClaim): LeaseHeldError {
  const { resource } = options;
  const { holder, at, ttlMs } = claim;
  const { node, pid, runId } = holder;
  const seconds = Math.ceil(ttlMs / 1000);
  const minutes = Math.ceil((ttlMs + CLOCK_MARGIN_MS) / 60_000);
  return new LeaseHeldError(describeHolder(options, claim), {
    context: { resource, runId, node, pid, since: at },
    hint: (field) =>
      `Let it finish, or wait for it with ${field("wait")}. If it died, the next run on ${node} replaces it at once. A run on ` +
      `another machine replaces it ${seconds} s after its last sign of life with ${field("wait")}, or when it starts more than ` +
      `${minutes} min after that.`,
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
  return new LeaseLostError(`run ${holder.runId} renewed its lease too late: another run has taken over ${title}`, {
    context: { resource, runId: holder.runId, generation },
    hint: "Was this machine suspended, or cut off from the destination? Start the run again when the other one is done.",
  });
}
