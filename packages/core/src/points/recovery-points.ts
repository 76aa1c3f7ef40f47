import { z } from "zod";

import type { ManagerNames } from "./manager-names.ts";
import {
  compareText,
  inLanes,
  IntegrityError,
  LeaseLostError,
  type MachineIdentity,
  machineKey,
  messageOf,
  NotFoundError,
  type ObjectInfo,
  type ObjectKey,
  type ObjectStore,
  type RecoveryPoint,
  UsageError,
  RepositoryVersionError,
  ObjectNotFoundError,
} from "@ovault/contract";
import type { DamagedManifest, MachinePointListing, PointCatalog, PointListing } from "./point-store.ts";
import { decodeDocument, encodeDocument } from "../format/document.ts";
import { isPointKey, pointKey, POINTS } from "../format/layout.ts";
import { newPointId, tagOf } from "./point-id.ts";
import { inOrder } from "./point-order.ts";
import { parsePoint } from "./point-schema.ts";
import type { Protection } from "../format/protection.ts";
import { LARGEST, readKey, readWhole } from "../format/read-whole.ts";
import type { Reserve } from "../format/reserve.ts";
import { retaining } from "../format/retaining.ts";
import { isVoid } from "../leases/void.ts";
import { warnOnce } from "../util/warn-once.ts";

const TYPE = "point";
const FORGOTTEN_TYPE = "forgotten";
const VERSION = 1;
/** Suffix of the mark beside the manifest of a forgotten point. */
const FORGOTTEN = ".forgotten";
/** Manifests in flight. */
const LANES = 8;
/** Hex digits of a machine's name at the end of its points' ids. */
const TAG_DIGITS = 8;

/** The point itself when it exists; `void`: a replaced run cannot seal it any more. */
export type PointState = RecoveryPoint | "absent" | "forgotten" | "void";

/** A folder of points: manifests, and which of them are forgotten. */
interface Manifests {
  readonly visible: readonly ObjectInfo[];
  readonly forgotten: readonly ObjectInfo[];
  /** Keys of manifests marked as forgotten, whether the manifest exists or not. */
  readonly marked: readonly ObjectKey[];
  readonly damagedMarks: readonly DamagedManifest[];
}

interface RecoveryPointsPlace {
  readonly store: ObjectStore;
  readonly reserve: Reserve;
  readonly protection: Protection;
}

/**
 * The manifests of a repository: one object each, written last, read whole. A forgotten point gets a mark beside its
 * manifest and counts as absent. Only prune deletes manifests, when no run builds on them any more.
 */
export class RecoveryPoints implements PointCatalog {
  readonly #store: ObjectStore;
  readonly #reserve: Reserve;
  readonly #protection: Protection;
  readonly #retainUntil: () => Date | undefined;
  readonly #managers: ManagerNames | undefined;

  /** @param managers maps former names to present ones; without it, the names in manifests count as they are */
  constructor(
    { store, reserve, protection }: RecoveryPointsPlace,
    retainUntil: () => Date | undefined,
    managers: ManagerNames | undefined,
  ) {
    this.#store = store;
    this.#reserve = reserve;
    this.#protection = protection;
    this.#retainUntil = retainUntil;
    this.#managers = managers;
  }

  /**
   * Makes a point visible. Everything it refers to must already be durable.
   * @throws LeaseLostError when another run has taken over and voided this point
   */
  async seal(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    const key = this.keyOf(point);
    const manifest = encodeDocument(TYPE, VERSION, asStored(point));
    if (manifest.byteLength > LARGEST.manifest) {
      throw new UsageError(`the manifest of ${point.id} has ${manifest.byteLength} bytes, more than any reader takes`, {
        context: { key, bytes: manifest.byteLength, mostBytes: LARGEST.manifest },
        hint: "Look at the configuration of this machine: one of its documents or descriptions is absurdly large.",
      });
    }
    const options = { ifAbsent: true, signal, ...retaining(this.#retainUntil()) };
    if ((await this.#store.put(key, [manifest], options)) === "stored") return;
    const found = await readKey(this.#store, key, LARGEST.manifest, { signal });
    // A repeated put whose first answer was lost finds its own manifest.
    if (Buffer.compare(found, manifest) === 0) return;
    const context = { key, runId: point.runId };
    if (isVoid(found)) {
      throw new LeaseLostError(`run ${point.runId} renewed its lease too late: it may not seal ${point.id} any more`, {
        context,
        hint: "Was this machine suspended, or cut off from the destination? Start the run again.",
      });
    }
    throw new IntegrityError(`another recovery point is stored as ${point.id}`, { context });
  }

  /** The points of all machines. */
  async list(signal: AbortSignal): Promise<PointListing> {
    return await this.#listIn(POINTS, signal);
  }

  /**
   * The points of one machine. `damaged` covers the whole folder: only a manifest says which machine its point is of.
   */
  async listOf(machine: MachineIdentity, signal: AbortSignal): Promise<MachinePointListing> {
    const { points, damaged } = await this.#listIn(this.#folderOf(machine), signal);
    return {
      points: points.filter(({ vm }) => machineKey(vm) === machineKey(machine)),
      damaged,
      unclaimed: points.filter(
        ({ vm }) => vm.manager !== machine.manager && this.#managers?.isKnown(vm.manager) === false,
      ),
    };
  }

  /**
   * The newest point of each machine, by `machineKey`. Reads older ones only if newer ones are damaged or have ids of
   * older releases, which do not distinguish machines with one id.
   */
  async newest(signal: AbortSignal): Promise<ReadonlyMap<string, RecoveryPoint>> {
    const { visible } = await this.#manifests(POINTS, signal);
    const [dated, tagged] = [undefined, "tag"].map((tag) =>
      visible.filter((info) => (tagOf(idOf(info)) === undefined) === (tag === undefined)),
    );
    const read = [...(await this.#readAll(dated ?? [], signal)).points];
    let lines = [...Map.groupBy(tagged ?? [], lineOf).values()].map((infos) => infos.toSorted(compareAge));
    while (lines.length > 0) {
      const { points } = await this.#readAll(
        lines.flatMap((infos) => infos.at(-1) ?? []),
        signal,
      );
      read.push(...points);
      const found = new Set(points.map((point) => this.keyOf(point)));
      const open = lines.filter((infos) => !found.has(infos.at(-1)?.key ?? ""));
      lines = open.map((infos) => infos.slice(0, -1)).filter((infos) => infos.length > 0);
    }
    // The last entry of each key wins.
    return new Map(inOrder(read).map((point) => [machineKey(point.vm), point]));
  }

  /**
   * An id for the next point of a machine, later than those of all points in its folder. For a run that holds the lease
   * of the machine, or is about to.
   */
  async nextId(machine: MachineIdentity, now: Date, signal: AbortSignal): Promise<string> {
    const earlier: string[] = [];
    for await (const info of this.#store.list(this.#folderOf(machine), { signal })) {
      if (isPointKey(info.key)) earlier.push(idOf(info));
    }
    return newPointId(now, this.#protection.nameOf(machine).slice(0, TAG_DIGITS), earlier);
  }

  /** Forgotten points whose manifests still exist; and the keys of all manifests marked as forgotten. */
  async listForgotten(signal: AbortSignal): Promise<PointListing & { readonly marked: readonly ObjectKey[] }> {
    const { forgotten, marked } = await this.#manifests(POINTS, signal);
    return { ...(await this.#readAll(forgotten, signal)), marked };
  }

  /**
   * The point with this id or unique prefix. Where several manifests have that id, the readable one is found, and the
   * others cost a warning: a stray copy in the folder of another machine.
   * @throws NotFoundError
   * @throws IntegrityError when no manifest of that id is readable
   */
  async find(idOrPrefix: string, signal: AbortSignal): Promise<RecoveryPoint> {
    const { visible } = await this.#manifests(POINTS, signal);
    const starting = visible.filter((info) => idOf(info).startsWith(idOrPrefix));
    const matches = starting.filter((info) => idOf(info) === idOrPrefix);
    const wanted = matches.length > 0 ? matches : starting;
    const ids = new Set(wanted.map(idOf));
    if (ids.size > 1) throw ambiguous(idOrPrefix, wanted);
    const { points, damaged } = await this.#readAll(wanted, signal);
    const [point, ...others] = points;
    if (others.length > 0) throw ambiguous(idOrPrefix, wanted);
    if (point !== undefined) {
      for (const { error } of damaged) warnOnce(messageOf(error));
      return point;
    }
    if (damaged[0] !== undefined) throw damaged[0].error;
    throw new NotFoundError(`no recovery point ${idOrPrefix}`, {
      hint: "Run `ovault points` to see the recovery points.",
    });
  }

  /** True when a manifest of this point exists, even a damaged one, and is not forgotten. */
  async holds(point: Pick<RecoveryPoint, "vm" | "id">, signal: AbortSignal): Promise<boolean> {
    const key = this.keyOf(point);
    return (await this.#exists(key, signal)) && !(await this.#exists(markOf(key), signal));
  }

  /** True when a manifest of this point exists, even a damaged or a forgotten one. */
  async isStored(point: Pick<RecoveryPoint, "vm" | "id">, signal: AbortSignal): Promise<boolean> {
    return await this.#exists(this.keyOf(point), signal);
  }

  /** The object at the key of this point's manifest. @throws IntegrityError when it is damaged */
  async stateOf(point: Pick<RecoveryPoint, "vm" | "id">, signal: AbortSignal): Promise<PointState> {
    const key = this.keyOf(point);
    // A mark that outlived its manifest would hide the next one.
    if (await this.#exists(markOf(key), signal)) return "forgotten";
    try {
      const info = await this.#store.stat(key, { signal });
      return (await this.#read(info, signal)) ?? "void";
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return "absent";
      throw error;
    }
  }

  /** Makes a point invisible, at once and for every node. Prune deletes its manifest and what only it needs. */
  async forget(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    const mark = encodeDocument(FORGOTTEN_TYPE, VERSION, { at: new Date().toISOString() });
    const key = markOf(this.keyOf(point));
    await this.#reserve.during(() => this.#store.put(key, [mark], { ifAbsent: true, signal }), signal);
  }

  /** Deletes a forgotten manifest for good. No point or run may build on it any more. */
  async delete(key: ObjectKey, signal: AbortSignal): Promise<void> {
    await this.#store.delete(key, { signal });
    await this.#store.delete(markOf(key), { signal });
  }

  /** Key of the manifest of a point. */
  keyOf({ vm, id }: Pick<RecoveryPoint, "vm" | "id">): ObjectKey {
    return pointKey(this.#protection.folderOf(vm.id), id);
  }

  #folderOf({ id }: MachineIdentity): string {
    return `${POINTS}${this.#protection.folderOf(id)}/`;
  }

  async #listIn(prefix: string, signal: AbortSignal): Promise<PointListing> {
    const { visible, damagedMarks } = await this.#manifests(prefix, signal);
    const { points, damaged } = await this.#readAll(visible, signal);
    return { points, damaged: [...damaged, ...damagedMarks] };
  }

  async #manifests(prefix: string, signal: AbortSignal): Promise<Manifests> {
    const found: ObjectInfo[] = [];
    const marked = new Set<ObjectKey>();
    const damagedMarks: DamagedManifest[] = [];
    for await (const info of this.#store.list(prefix, { signal })) {
      if (isPointKey(info.key)) found.push(info);
      if (!info.key.endsWith(FORGOTTEN)) continue;
      try {
        decodeDocument(
          FORGOTTEN_TYPE,
          VERSION,
          await readWhole(this.#store, info, LARGEST.small, { signal }),
          info.key,
        );
        marked.add(info.key.slice(0, -FORGOTTEN.length));
      } catch (error) {
        if (error instanceof ObjectNotFoundError) continue; // pruned since the listing
        if (!(error instanceof IntegrityError) && !(error instanceof RepositoryVersionError)) throw error;
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
        if (error instanceof ObjectNotFoundError) return; // pruned since the listing
        if (!(error instanceof IntegrityError) && !(error instanceof RepositoryVersionError)) throw error;
        damaged.push({ key: info.key, error });
      }
    };
    await inLanes(manifests, LANES, read, signal);
    damaged.sort((a, b) => compareText(a.key, b.key));
    return { points: inOrder(points), damaged };
  }

  async #exists(key: ObjectKey, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#store.stat(key, { signal });
      return true;
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return false;
      throw error;
    }
  }

  /** Undefined for a void. */
  async #read(info: ObjectInfo, signal: AbortSignal): Promise<RecoveryPoint | undefined> {
    const { key } = info;
    const object = await readWhole(this.#store, info, LARGEST.manifest, { signal });
    if (isVoid(object)) return undefined;
    const value = decodeDocument(TYPE, VERSION, object, key);
    let point: RecoveryPoint;
    try {
      point = parsePoint(value);
    } catch (cause) {
      const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
      throw new IntegrityError(`${key} is not a recovery point: ${detail}`, { cause, context: { key } });
    }
    if (this.keyOf(point) === key) return this.#underPresentName(point);
    throw new IntegrityError(`${key} holds the manifest of another recovery point`, { context: { key } });
  }

  #underPresentName(point: RecoveryPoint): RecoveryPoint {
    const storedManager = point.vm.manager;
    const manager = this.#managers?.presentNameOf(storedManager) ?? storedManager;
    return manager === storedManager ? point : { ...point, vm: { ...point.vm, manager }, storedManager };
  }
}

/** With the manager's name as stored: copies of a point are equal, even after its manager was renamed. */
function asStored({ storedManager, ...point }: RecoveryPoint): RecoveryPoint {
  return storedManager === undefined ? point : { ...point, vm: { ...point.vm, manager: storedManager } };
}

function ambiguous(idOrPrefix: string, starting: readonly ObjectInfo[]): NotFoundError {
  return new NotFoundError(`${starting.length} recovery points start with ${idOrPrefix}`, {
    hint: `Give more of the id: ${starting.slice(0, 5).map(idOf).join(", ")}`,
  });
}

function idOf({ key }: ObjectInfo): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** Groups points by folder and tag: those of one machine, taken in one repository. */
function lineOf(info: ObjectInfo): string {
  return `${info.key.slice(0, info.key.lastIndexOf("/"))} ${tagOf(idOf(info))}`;
}

/** Ordered ids sort by time. */
function compareAge(a: ObjectInfo, b: ObjectInfo): number {
  return compareText(idOf(a), idOf(b));
}

function markOf(key: ObjectKey): ObjectKey {
  return key + FORGOTTEN;
}
