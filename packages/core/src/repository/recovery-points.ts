import { lastValueFrom } from "rxjs";
import { z } from "zod";

import type { ObjectInfo, ObjectKey, ObjectStore } from "../contract/object-store.ts";
import type { RecoveryPoint } from "../contract/recovery-point.ts";
import { IntegrityError, LeaseLostError, NotFoundError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { pullInLanes } from "../pipeline/pull-in-lanes.ts";
import { compareText } from "../util/compare-text.ts";
import { decodeDocument, encodeDocument } from "./document.ts";
import { isPointKey, pointKey, POINTS } from "./layout.ts";
import { parsePoint } from "./point-schema.ts";
import type { Protection } from "./protection.ts";
import { readWhole } from "./read-whole.ts";
import { retaining } from "./retaining.ts";
import { isVoid } from "./void.ts";

const TYPE = "point";
const FORGOTTEN_TYPE = "forgotten";
const VERSION = 1;
/** What lies beside the manifest of a point that was forgotten. */
const FORGOTTEN = ".forgotten";
/** Manifests in flight. */
const LANES = 8;

/** A manifest, or a mark that it is forgotten, that does not prove itself. The points beside it are not affected. */
export interface DamagedManifest {
  readonly key: ObjectKey;
  readonly error: unknown;
}

export interface PointListing {
  /** Oldest first. */
  readonly points: readonly RecoveryPoint[];
  readonly damaged: readonly DamagedManifest[];
}

/** The point itself when it is there; `void`: a run that was replaced may not seal it any more. */
export type PointState = RecoveryPoint | "absent" | "forgotten" | "void";

/** What lies in a folder of points: manifests, and which of them are forgotten. */
interface Manifests {
  readonly visible: readonly ObjectInfo[];
  readonly forgotten: readonly ObjectInfo[];
  /** Keys of manifests that are marked as forgotten, there or not. */
  readonly marked: readonly ObjectKey[];
  readonly damagedMarks: readonly DamagedManifest[];
}

/**
 * The manifests of a repository: one object each, written last, read whole. A point that is forgotten gets a mark beside
 * its manifest, and is as if it were not there. Only prune deletes manifests, when no run builds on them any more.
 */
export class RecoveryPoints {
  readonly #store: ObjectStore;
  readonly #protection: Protection;
  readonly #retainUntil: () => Date | undefined;

  constructor(store: ObjectStore, protection: Protection, retainUntil: () => Date | undefined) {
    this.#store = store;
    this.#protection = protection;
    this.#retainUntil = retainUntil;
  }

  /**
   * Makes a point visible. Everything it refers to must be durable before.
   * @throws LeaseLostError when another has taken over, and made sure that this point never comes to be
   */
  async seal(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    const key = this.keyOf(point);
    const manifest = encodeDocument(TYPE, VERSION, point);
    const options = { ifAbsent: true, signal, ...retaining(this.#retainUntil()) };
    if ((await this.#store.put(key, [manifest], options)) === "stored") return;
    const found = await this.#store.get(key, { signal });
    // A repeated put whose first answer was lost finds its own manifest.
    if (Buffer.compare(found, manifest) === 0) return;
    const context = { key, runId: point.runId };
    if (isVoid(found)) {
      throw new LeaseLostError(`run ${point.runId} was silent for too long: it may not seal ${point.id} any more`, {
        context,
        hint: "Was this machine suspended, or cut off from the destination? Start the run again.",
      });
    }
    throw new IntegrityError(`another recovery point is stored as ${point.id}`, { context });
  }

  /** All points, or those of one virtual machine. */
  async list(signal: AbortSignal, vmId?: string): Promise<PointListing> {
    const prefix = vmId === undefined ? POINTS : `${POINTS}${this.#protection.folderOf(vmId)}/`;
    const { visible, damagedMarks } = await this.#manifests(prefix, signal);
    const { points, damaged } = await this.#readAll(visible, signal);
    return { points, damaged: [...damaged, ...damagedMarks] };
  }

  /**
   * The newest point of each machine, by the machine's id. Older ones are not read, unless the newer do not prove
   * themselves.
   */
  async newest(signal: AbortSignal): Promise<ReadonlyMap<string, RecoveryPoint>> {
    const { visible } = await this.#manifests(POINTS, signal);
    const newest = new Map<string, RecoveryPoint>();
    let folders = [...Map.groupBy(visible, folderOf).values()].map((infos) => infos.toSorted(compareAge));
    while (folders.length > 0) {
      const { points } = await this.#readAll(
        folders.flatMap((infos) => infos.at(-1) ?? []),
        signal,
      );
      for (const point of points) newest.set(point.vm.id, point);
      const found = new Set(points.map((point) => this.keyOf(point)));
      const open = folders.filter((infos) => !found.has(infos.at(-1)?.key ?? ""));
      folders = open.map((infos) => infos.slice(0, -1)).filter((infos) => infos.length > 0);
    }
    return newest;
  }

  /** Points that are forgotten and whose manifests are still there; and the keys of all that are marked as forgotten. */
  async listForgotten(signal: AbortSignal): Promise<PointListing & { readonly marked: readonly ObjectKey[] }> {
    const { forgotten, marked } = await this.#manifests(POINTS, signal);
    return { ...(await this.#readAll(forgotten, signal)), marked };
  }

  /** The point with this id or unique prefix of it. */
  async find(idOrPrefix: string, signal: AbortSignal): Promise<RecoveryPoint> {
    const { visible } = await this.#manifests(POINTS, signal);
    const starting = visible.filter((info) => idOf(info).startsWith(idOrPrefix));
    const matches = starting.filter((info) => idOf(info) === idOrPrefix);
    const [only, ...others] = matches.length > 0 ? matches : starting;
    const point = only === undefined || others.length > 0 ? undefined : await this.#read(only, signal);
    if (point !== undefined) return point;
    const hint = "Run `ovault points` to see the recovery points.";
    if (others.length === 0) throw new NotFoundError(`no recovery point ${idOrPrefix}`, { hint });
    throw new NotFoundError(`${starting.length} recovery points start with ${idOrPrefix}`, {
      hint: `Give more of the id: ${starting.slice(0, 5).map(idOf).join(", ")}`,
    });
  }

  /** True when there is a manifest of this point, whatever it says, and it is not forgotten. */
  async holds(point: Pick<RecoveryPoint, "vm" | "id">, signal: AbortSignal): Promise<boolean> {
    const key = this.keyOf(point);
    return (await this.#exists(key, signal)) && !(await this.#exists(markOf(key), signal));
  }

  /** What lies where the manifest of this point belongs. @throws IntegrityError when that cannot be told */
  async stateOf(point: Pick<RecoveryPoint, "vm" | "id">, signal: AbortSignal): Promise<PointState> {
    const key = this.keyOf(point);
    // A mark that outlived its manifest would hide the next one.
    if (await this.#exists(markOf(key), signal)) return "forgotten";
    try {
      const info = await this.#store.stat(key, { signal });
      return (await this.#read(info, signal)) ?? "void";
    } catch (error) {
      if (hasCode(error, "E_OBJECT_NOT_FOUND")) return "absent";
      throw error;
    }
  }

  /**
   * Takes the void away that stands in the place of this point, so that another run may seal it. Only for a run that holds
   * the lease, and puts the very manifest that the silent run would have put.
   */
  async deleteVoid(point: Pick<RecoveryPoint, "vm" | "id">, signal: AbortSignal): Promise<void> {
    await this.#store.delete(this.keyOf(point), { signal });
  }

  /** Makes a point invisible, at once and for every node. Its manifest and what only it needs stay until pruned. */
  async forget(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    const mark = encodeDocument(FORGOTTEN_TYPE, VERSION, { at: new Date().toISOString() });
    await this.#store.put(markOf(this.keyOf(point)), [mark], { ifAbsent: true, signal });
  }

  /** Deletes a manifest that is forgotten, for good. Nothing may build on the point any more. */
  async delete(key: ObjectKey, signal: AbortSignal): Promise<void> {
    await this.#store.delete(key, { signal });
    await this.#store.delete(markOf(key), { signal });
  }

  /** Where the manifest of a point lies. */
  keyOf({ vm, id }: Pick<RecoveryPoint, "vm" | "id">): ObjectKey {
    return pointKey(this.#protection.folderOf(vm.id), id);
  }

  async #manifests(prefix: string, signal: AbortSignal): Promise<Manifests> {
    const found: ObjectInfo[] = [];
    const marked = new Set<ObjectKey>();
    const damagedMarks: DamagedManifest[] = [];
    for await (const info of this.#store.list(prefix, { signal })) {
      if (isPointKey(info.key)) found.push(info);
      if (!info.key.endsWith(FORGOTTEN)) continue;
      try {
        decodeDocument(FORGOTTEN_TYPE, VERSION, await readWhole(this.#store, info, { signal }), info.key);
        marked.add(info.key.slice(0, -FORGOTTEN.length));
      } catch (error) {
        if (hasCode(error, "E_OBJECT_NOT_FOUND")) continue; // pruned while we were listing
        if (!hasCode(error, "E_INTEGRITY") && !hasCode(error, "E_REPOSITORY_VERSION")) throw error;
        damagedMarks.push({ key: info.key, error });
      }
    }
    const visible = found.filter(({ key }) => !marked.has(key));
    const forgotten = found.filter(({ key }) => marked.has(key));
    return { visible, forgotten, marked: [...marked], damagedMarks };
  }

  async #readAll(manifests: readonly ObjectInfo[], signal: AbortSignal): Promise<PointListing> {
    const points: RecoveryPoint[] = [];
    const damaged: DamagedManifest[] = [];
    const read = async (info: ObjectInfo, lane: AbortSignal): Promise<void> => {
      try {
        const point = await this.#read(info, lane);
        if (point !== undefined) points.push(point);
      } catch (error) {
        if (hasCode(error, "E_OBJECT_NOT_FOUND")) return; // pruned while we were listing
        if (!hasCode(error, "E_INTEGRITY") && !hasCode(error, "E_REPOSITORY_VERSION")) throw error;
        damaged.push({ key: info.key, error });
      }
    };
    await lastValueFrom(pullInLanes(manifests, LANES, read, signal), { defaultValue: undefined });
    damaged.sort((a, b) => compareText(a.key, b.key));
    points.sort((a, b) => compareText(a.takenAt, b.takenAt) || compareText(a.id, b.id));
    return { points, damaged };
  }

  async #exists(key: ObjectKey, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#store.stat(key, { signal });
      return true;
    } catch (error) {
      if (hasCode(error, "E_OBJECT_NOT_FOUND")) return false;
      throw error;
    }
  }

  /** Undefined for a void. */
  async #read(info: ObjectInfo, signal: AbortSignal): Promise<RecoveryPoint | undefined> {
    const { key } = info;
    const object = await readWhole(this.#store, info, { signal });
    if (isVoid(object)) return undefined;
    const value = decodeDocument(TYPE, VERSION, object, key);
    let point: RecoveryPoint;
    try {
      point = parsePoint(value);
    } catch (cause) {
      const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
      throw new IntegrityError(`${key} is not a recovery point: ${detail}`, { cause, context: { key } });
    }
    if (this.keyOf(point) === key) return point;
    throw new IntegrityError(`${key} holds the manifest of another recovery point`, { context: { key } });
  }
}

function idOf({ key }: ObjectInfo): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

function folderOf({ key }: ObjectInfo): string {
  return key.slice(0, key.lastIndexOf("/"));
}

/** Ids begin with the time. */
function compareAge(a: ObjectInfo, b: ObjectInfo): number {
  return compareText(idOf(a), idOf(b));
}

function markOf(key: ObjectKey): ObjectKey {
  return key + FORGOTTEN;
}
