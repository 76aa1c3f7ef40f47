import { setTimeout as sleep } from "node:timers/promises";

import { observe, type LedgerHandle, type RunContext, type Turn } from "@ovault/contract";
import { NoRoomError } from "@ovault/ovirt";

import { StagingError } from "../errors.ts";
import { stagingPlaces, type StagingPlace } from "../staging/staging-place.ts";
import type { StagingOptions } from "../staging/staging-options.ts";
import { sizeOf } from "./assert-room.ts";
import { freeDeadSlots, heldSlots, releaseSlot, takeFreeSlot, type HeldSlot } from "./slot-files.ts";
import { usedBytes } from "./staging-use.ts";

const POLL_MS = 1_000;

export const STAGING_SLOT = "staging-slot";

export interface SlotWish {
  readonly options: StagingOptions;
  readonly place: StagingPlace;
  /** What is done there, for people. */
  readonly title: string;
  /** Most bytes that will lie there. */
  readonly bytes: number;
  /** Does not wait for others: a restore. Its bytes count all the same. */
  readonly beside?: boolean;
}

/** Slots that come after those of backups. */
const MOST_BESIDE = 1_000;

/**
 * The right to put a machine into an export domain: one of `concurrent` for each domain, and within `stagingLimit` for
 * all. Files in the folders hold them, so that other processes of this node respect them; those of a process that died
 * are free again. The ledger knows them by their run.
 */
export class StagingSlot implements Turn {
  readonly #folder: string;
  readonly #name: string;
  readonly #handle: LedgerHandle;
  #isHeld = true;

  private constructor(folder: string, name: string, handle: LedgerHandle) {
    this.#folder = folder;
    this.#name = name;
    this.#handle = handle;
  }

  /**
   * Waits until there is one.
   *
   * @throws NoRoomError when it could never be had
   * @throws StagingError when another node uses the folder
   */
  static async take(
    wish: SlotWish,
    { ledger, hooks, signal }: Pick<RunContext, "ledger" | "hooks" | "signal">,
  ): Promise<StagingSlot> {
    const { folder } = wish.place;
    const detail = { folder };
    const handle = await ledger.open({ kind: STAGING_SLOT, title: `turn of ${wish.title}`, detail });
    try {
      for (let shown = false; ; shown = true) {
        signal.throwIfAborted();
        const name = await tryToTake(wish, ledger.runId);
        if (name !== undefined) return new StagingSlot(folder, name, handle);
        if (!shown) observe(hooks.phase, { phase: "wait", detail: `for room in ${folder}: others are exported` });
        await sleep(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async release(): Promise<void> {
    if (!this.#isHeld) return;
    await releaseSlot(this.#folder, this.#name);
    // Others may have it from here on.
    this.#isHeld = false;
    await this.#handle.close();
  }
}

/** The name of the slot; undefined while others are at work. */
async function tryToTake(wish: SlotWish, runId: string): Promise<string | undefined> {
  const { options, place, title, bytes, beside = false } = wish;
  await assertOursAlone(options);
  await freeDeadSlots(place.folder);
  const [first, count] = beside ? [options.concurrent, MOST_BESIDE] : [0, options.concurrent];
  const name = await takeFreeSlot(place.folder, { first, count }, { title, bytes, runId });
  if (name === undefined) return undefined;
  const obstacle = await overLimit(wish, name).catch(async (error: unknown) => {
    await releaseSlot(place.folder, name);
    throw error;
  });
  if (obstacle === undefined) return name;
  await releaseSlot(place.folder, name);
  if (beside || !obstacle.passes) throw obstacle.error;
  return undefined;
}

/** @throws StagingError when another node exports into one of the folders at the moment */
export async function assertOursAlone(options: StagingOptions): Promise<void> {
  for (const { folder } of stagingPlaces(options)) {
    const other = (await heldSlots(folder)).find(({ elsewhere }) => elsewhere);
    if (other === undefined) continue;
    throw new StagingError(`another node uses ${folder}: ${other.process.node}, for ${other.title}`, {
      context: { folder, node: other.process.node },
      hint: `Each node needs a folder and an export domain of its own. If that node runs nothing any more, remove ${other.path}.`,
    });
  }
}

interface OverLimit {
  readonly error: NoRoomError;
  /** Others are at work there, which make room when they end. */
  readonly passes: boolean;
}

async function overLimit({ options, place, bytes }: SlotWish, own: string): Promise<OverLimit | undefined> {
  const { stagingLimit } = options;
  if (stagingLimit === undefined) return undefined;
  let used = 0;
  const others: HeldSlot[] = [];
  for (const { folder } of stagingPlaces(options)) {
    used += await usedBytes(folder);
    others.push(...(await heldSlots(folder)).filter(({ name }) => folder !== place.folder || name !== own));
  }
  const promised = others.reduce((sum, other) => sum + other.bytes, 0);
  if (used + promised + bytes <= stagingLimit) return undefined;
  const lies = `${sizeOf(used)} lie there already`;
  return {
    error: new NoRoomError(
      `this takes up to ${sizeOf(bytes)} of staging; the limit is ${sizeOf(stagingLimit)}, and ${lies}`,
      {
        context: { stagingLimit, usedBytes: used, wantedBytes: bytes },
        hint:
          bytes > stagingLimit
            ? "Raise `stagingLimit`: the machine alone needs more."
            : "Raise `stagingLimit`, or delete imported machines from the export domain.",
      },
    ),
    passes: bytes <= stagingLimit && others.length > 0,
  };
}
