import { z } from "zod";

import {
  type ObjectKey,
  type ObjectStore,
  IntegrityError,
  type ProcessIdentity,
  ObjectNotFoundError,
} from "@ovault/contract";
import { decodeDocument, encodeDocument } from "../format/document.ts";
import { isPointKey, LEASES } from "../format/layout.ts";
import { LARGEST, readKey } from "../format/read-whole.ts";

/** The holder of a lease: a run of a process. */
export interface LeaseHolder extends ProcessIdentity {
  readonly runId: string;
}

/** Far more than any run sets: others would wait too long for a holder that died. */
export const LONGEST_TTL_MS = 24 * 60 * 60 * 1000;

const time = z.iso.datetime();
const holder: z.ZodType<LeaseHolder> = z.object({
  runId: z.string(),
  node: z.string(),
  pid: z.int(),
  bootId: z.string().nullable(),
  pidNamespace: z.string().nullable(),
  startTicks: z.number().nullable(),
});
const held = z.object({
  state: z.literal("held"),
  /** Random: tells this claim from every other, also from another try of the same writer. */
  token: z.string(),
  holder,
  /** Time to live: a claim whose beats stand still for this long may be taken over. */
  ttlMs: z.int().positive().max(LONGEST_TTL_MS),
  at: time,
  expiresAt: time,
  /** Keys of the manifests that the run is going to put: a run that takes over voids them first. */
  seals: z.array(z.string().refine(isPointKey)).readonly().default([]),
  /** Keys of the manifests of the points that the holder reads: prune keeps what these need. */
  holds: z.array(z.string().refine(isPointKey)).readonly().default([]),
  /** It outlives its process: only a release ends it, no silence. Releases that do not know it wait for `ttlMs`. */
  kept: z.literal(true).optional(),
});
const claim = z.discriminatedUnion("state", [held, z.object({ state: z.literal("free"), at: time })]);
const beat = z.object({
  at: time,
  expiresAt: time,
  /** Names of the condemned documents that the run has read: it relies on nothing that they condemn. */
  acknowledged: z.array(z.string()).readonly().default([]),
});

export type HeldClaim = z.infer<typeof held>;
export type Claim = z.infer<typeof claim>;
export type Beat = z.infer<typeof beat>;

/** The objects of a lease as one listing shows them. */
export interface LeaseState {
  /** The highest that exists; 0 when the resource was never claimed. */
  readonly generation: number;
  /** The highest of that generation; 0 before the first beat. */
  readonly beat: number;
  readonly objects: readonly LeaseObject[];
}

interface LeaseObject {
  readonly key: ObjectKey;
  readonly generation: number;
  /** 0 for the claim itself. */
  readonly beat: number;
}

const NAME = /^(\d{8})(?:\.(\d{8}))?$/;
/** More than any number of runs can come to. */
const LAST_GENERATION = 99_999_999;
const REMOVE_HINT = "Make sure that no run is at work on any node, then delete this object from the destination.";
const VERSION = 1;

/**
 * The objects of one lease: `leases/RESOURCE/GENERATION` is a claim, `leases/RESOURCE/GENERATION.BEAT` a beat. They are
 * made, if absent, and deleted, never rewritten. The highest claim rules; it is only deleted after a higher one was
 * made, so that no generation ever comes twice.
 */
export class LeaseFolder {
  readonly #store: ObjectStore;
  readonly #prefix: string;

  constructor(store: ObjectStore, resource: string) {
    this.#store = store;
    this.#prefix = `${LEASES}${resource}/`;
  }

  async look(signal: AbortSignal): Promise<LeaseState> {
    const keys: ObjectKey[] = [];
    for await (const { key } of this.#store.list(this.#prefix, { signal })) keys.push(key);
    return this.stateOf(keys);
  }

  /** Reads the state of this lease from a listing of its folder. */
  stateOf(keys: readonly ObjectKey[]): LeaseState {
    const objects: LeaseObject[] = [];
    for (const key of keys) {
      const match = NAME.exec(key.slice(this.#prefix.length));
      if (match !== null) objects.push({ key, generation: Number(match[1]), beat: Number(match[2] ?? 0) });
    }
    const claims = objects.filter((object) => object.beat === 0);
    const generation = highest(claims.map((object) => object.generation));
    const beats = objects.filter((object) => object.generation === generation);
    return { generation, beat: highest(beats.map((object) => object.beat)), objects };
  }

  /** The number of the next claim. @throws IntegrityError when no number is left */
  generationAfter({ generation }: LeaseState): number {
    if (generation < LAST_GENERATION) return generation + 1;
    const key = this.#key(generation);
    throw new IntegrityError(`the lease ${key} is damaged: no run can have come to this number`, {
      context: { key },
      hint: REMOVE_HINT,
    });
  }

  /**
   * Frees the resource from any holder, which finds out at its next beat. A generation never comes twice, so a higher
   * one frees it; only the last possible one, which no run has made, is deleted.
   */
  async free(at: string, signal: AbortSignal): Promise<void> {
    const state = await this.look(signal);
    if (state.generation === LAST_GENERATION) {
      await this.deleteClaim(LAST_GENERATION, signal);
      return await this.free(at, signal);
    }
    const generation = this.generationAfter(state);
    await this.putClaim(generation, { state: "free", at }, signal);
    await this.deleteBelow(await this.look(signal), generation, 0, signal);
  }

  /** Undefined when the claim is gone: a higher one was made. */
  async readClaim(generation: number, signal: AbortSignal): Promise<Claim | undefined> {
    return await this.#read(this.#key(generation), "claim", claim, signal);
  }

  /** Undefined when the beat is gone: a later one was made. */
  async readBeat(
    { generation, beat: number }: Pick<LeaseState, "generation" | "beat">,
    signal: AbortSignal,
  ): Promise<Beat | undefined> {
    return await this.#read(this.#key(generation, number), "beat", beat, signal);
  }

  /** Does nothing when the generation is taken. */
  async putClaim(generation: number, value: Claim, signal: AbortSignal): Promise<void> {
    await this.#put(this.#key(generation), "claim", value, signal);
  }

  async putBeat(generation: number, number: number, value: Beat, signal: AbortSignal): Promise<void> {
    await this.#put(this.#key(generation, number), "beat", value, signal);
  }

  async deleteClaim(generation: number, signal: AbortSignal): Promise<void> {
    await this.#store.delete(this.#key(generation), { signal });
  }

  /**
   * Deletes what the listing shows of lower generations, and all other beats of this one: only its holder puts any. A
   * courtesy that never throws: no reader heeds these objects, and the next holder tries again.
   */
  async deleteBelow({ objects }: LeaseState, generation: number, number: number, signal: AbortSignal): Promise<void> {
    for (const object of objects) {
      const passed = object.beat > 0 && object.beat !== number && object.generation === generation;
      if (object.generation < generation || passed) await this.#store.delete(object.key, { signal }).catch(noop);
    }
  }

  /** Deletes all objects of a lease whose name no other ever has. */
  async deleteAll(signal: AbortSignal): Promise<void> {
    // Claims last: a beat without a claim says nothing, and would stay.
    const objects = (await this.look(signal)).objects.toSorted((a, b) => b.beat - a.beat);
    for (const { key } of objects) await this.#store.delete(key, { signal });
  }

  #key(generation: number, number = 0): ObjectKey {
    const name = `${this.#prefix}${String(generation).padStart(8, "0")}`;
    return number === 0 ? name : `${name}.${String(number).padStart(8, "0")}`;
  }

  async #put(key: ObjectKey, type: string, value: Claim | Beat, signal: AbortSignal): Promise<void> {
    await this.#store.put(key, [encodeDocument(type, VERSION, value)], { ifAbsent: true, signal });
  }

  async #read<T>(key: ObjectKey, type: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T | undefined> {
    try {
      const bytes = await readKey(this.#store, key, LARGEST.small, { signal });
      return schema.parse(decodeDocument(type, VERSION, bytes, key));
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return undefined;
      if (error instanceof IntegrityError || error instanceof z.ZodError) throw unreadable(key, error);
      throw error;
    }
  }
}

function unreadable(key: ObjectKey, cause: unknown): IntegrityError {
  return new IntegrityError(`the lease ${key} is damaged: it does not say which run holds it`, {
    cause,
    context: { key },
    hint: REMOVE_HINT,
  });
}

function highest(numbers: readonly number[]): number {
  return numbers.reduce((most, number) => Math.max(most, number), 0);
}

function noop(): void {}
