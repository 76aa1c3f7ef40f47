import {
  type Clock,
  NotFoundError,
  type ObjectKey,
  type ObjectStore,
  processIdentity,
  type ProcessIdentity,
  type RecoveryPoint,
  systemClock,
} from "@ovault/contract";
import { holdResource } from "../leases/hold-lease.ts";
import { acquireLease, type Lease } from "../leases/lease.ts";
import { keepPoint } from "./kept-hold.ts";

export interface HoldPointOptions {
  /** The run that reads the point. */
  readonly runId: string;
  /** Process of that run; this one by default. */
  readonly process?: ProcessIdentity;
  /**
   * A UUID of this hold alone, noted durably before. The hold then outlives its process: only `release` ends it. Who takes
   * it again under the same name has the same hold.
   */
  readonly keptAs?: string;
  /** Called when another run found this hold silent, and the point is held anew. `message`: one line for people. */
  readonly onRenewed?: (message: string) => void;
  /** Aborts the taking of the hold. The hold lives until it is released. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/** As long as it lasts, nothing deletes what the point needs. Its owner must release it. */
export interface PointHold {
  /**
   * Aborts with NotFoundError when the hold was lost and the point is gone, or its deletion was decided: this process
   * was suspended, or cut off from the store. Reads prove what they read, and fail where data is gone.
   */
  readonly signal: AbortSignal;
  /** Checks the hold in the store. @throws NotFoundError when it was lost for good; any error of the store */
  assertHeld(signal: AbortSignal): Promise<void>;
  /** Never throws: a hold that could not be removed ends like one whose process died. */
  release(): Promise<void>;
}

export interface HoldPlace {
  readonly store: ObjectStore;
  readonly keyOf: (point: RecoveryPoint) => ObjectKey;
  /**
   * Called when the claim of a hold is in the store: makes sure that every deletion that could miss this claim spares
   * the point. `isFound`: the claim was there before this process. @throws NotFoundError when it is too late for that
   */
  readonly spare: (point: RecoveryPoint, signal: AbortSignal, isFound: boolean) => Promise<void>;
}

/** Long, so that a short outage of the network loses no hold; others wait that long for a holder that died elsewhere. */
const TTL_MS = 300_000;
/** Between two tries to hold a point anew while the store fails. */
const PAUSE_MS = 30_000;

/** Holds a point of any store; docs/adr/0011-holds.md says why nothing deletes it. */
export async function holdPoint(place: HoldPlace, point: RecoveryPoint, options: HoldPointOptions): Promise<PointHold> {
  if (options.keptAs !== undefined) return await keepPoint(place, point, options.keptAs, options);
  return new LivingHold(place, point, options, await takeHold(place, point, options));
}

async function takeHold(
  { store, keyOf, spare }: HoldPlace,
  point: RecoveryPoint,
  { runId, process = processIdentity(), clock = systemClock, signal }: HoldPointOptions,
): Promise<Lease> {
  const lease = await acquireLease(store, {
    resource: holdResource(),
    title: `recovery point ${point.id}`,
    holder: { runId, ...process },
    ttlMs: TTL_MS,
    ifBusy: "refuse",
    holds: [keyOf(point)],
    clock,
    signal,
  });
  try {
    await spare(point, signal, false);
    // A claim that was found silent meanwhile has kept nothing.
    await lease.assertHeld(signal);
    return lease;
  } catch (error) {
    await lease.release();
    throw error;
  }
}

class LivingHold implements PointHold {
  readonly #place: HoldPlace;
  readonly #point: RecoveryPoint;
  readonly #options: HoldPointOptions;
  readonly #lost = new AbortController();
  readonly #released = new AbortController();
  #lease: Lease;
  /** Never rejects. */
  #renewal: Promise<void> = Promise.resolve();

  constructor(place: HoldPlace, point: RecoveryPoint, options: HoldPointOptions, lease: Lease) {
    this.#place = place;
    this.#point = point;
    this.#options = options;
    this.#lease = lease;
    this.#renewWhenLost(lease);
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  async assertHeld(signal: AbortSignal): Promise<void> {
    this.signal.throwIfAborted();
    const lease = this.#lease;
    try {
      await lease.assertHeld(signal);
    } catch (error) {
      if (!lease.signal.aborted) throw error;
      await this.#renewal;
      await this.assertHeld(signal);
    }
  }

  async release(): Promise<void> {
    this.#released.abort();
    await this.#renewal;
    await this.#lease.release();
  }

  #renewWhenLost(lease: Lease): void {
    const renew = (): void => {
      this.#renewal = this.#renew(lease);
    };
    if (lease.signal.aborted) renew();
    else lease.signal.addEventListener("abort", renew, { once: true });
  }

  /** Takes another hold in place of one that was lost, as soon as the store allows. */
  async #renew(lost: Lease): Promise<void> {
    const { onRenewed, clock = systemClock } = this.#options;
    const stop = this.#released.signal;
    await lost.release();
    while (!stop.aborted) {
      try {
        this.#lease = await takeHold(this.#place, this.#point, { ...this.#options, signal: stop });
        this.#renewWhenLost(this.#lease);
        onRenewed?.(`the hold on recovery point ${this.#point.id} was lost for a while: it is held again`);
        return;
      } catch (error) {
        if (error instanceof NotFoundError) return this.#lost.abort(error);
        await clock.sleep(PAUSE_MS, stop).catch(() => undefined);
      }
    }
  }
}
