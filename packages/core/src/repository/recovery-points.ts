import { z } from "zod";

import type { ObjectInfo, ObjectKey, ObjectStore } from "../contract/object-store.ts";
import type { RecoveryPoint } from "../contract/recovery-point.ts";
import { IntegrityError, NotFoundError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { compareText } from "../util/compare-text.ts";
import { decodeDocument, encodeDocument } from "./document.ts";
import { pointKey, POINTS } from "./layout.ts";
import { parsePoint } from "./point-schema.ts";
import type { Protection } from "./protection.ts";
import { readWhole } from "./read-whole.ts";
import { retaining } from "./retaining.ts";

const TYPE = "point";
const VERSION = 1;

/** A manifest that does not prove itself. The points beside it are not affected. */
export interface DamagedManifest {
  readonly key: ObjectKey;
  readonly error: unknown;
}

export interface PointListing {
  /** Oldest first. */
  readonly points: readonly RecoveryPoint[];
  readonly damaged: readonly DamagedManifest[];
}

/** The manifests of a repository: one object each, written last, read whole. */
export class RecoveryPoints {
  readonly #store: ObjectStore;
  readonly #protection: Protection;
  readonly #retainUntil: () => Date | undefined;

  constructor(store: ObjectStore, protection: Protection, retainUntil: () => Date | undefined) {
    this.#store = store;
    this.#protection = protection;
    this.#retainUntil = retainUntil;
  }

  /** Makes a point visible. Everything it refers to must be durable before. */
  async seal(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    const key = this.#keyOf(point);
    const manifest = encodeDocument(TYPE, VERSION, point);
    const options = { ifAbsent: true, signal, ...retaining(this.#retainUntil()) };
    if ((await this.#store.put(key, [manifest], options)) === "stored") return;
    // A repeated put whose first answer was lost finds its own manifest.
    if (Buffer.compare(await this.#store.get(key, { signal }), manifest) === 0) return;
    throw new IntegrityError(`another recovery point is stored as ${point.id}`, { context: { key } });
  }

  /** All points, or those of one virtual machine. */
  async list(signal: AbortSignal, vmId?: string): Promise<PointListing> {
    const points: RecoveryPoint[] = [];
    const damaged: DamagedManifest[] = [];
    const prefix = vmId === undefined ? POINTS : `${POINTS}${this.#protection.folderOf(vmId)}/`;
    for await (const info of this.#store.list(prefix, { signal })) {
      const { key } = info;
      if (!isPointKey(key)) continue;
      try {
        points.push(await this.#read(info, signal));
      } catch (error) {
        if (hasCode(error, "E_OBJECT_NOT_FOUND")) continue; // forgotten while we were listing
        if (!hasCode(error, "E_INTEGRITY") && !hasCode(error, "E_REPOSITORY_VERSION")) throw error;
        damaged.push({ key, error });
      }
    }
    points.sort((a, b) => compareText(a.takenAt, b.takenAt) || compareText(a.id, b.id));
    return { points, damaged };
  }

  /** The point with this id or unique prefix of it. */
  async find(idOrPrefix: string, signal: AbortSignal): Promise<RecoveryPoint> {
    const matches: ObjectInfo[] = [];
    for await (const info of this.#store.list(POINTS, { signal })) {
      if (!isPointKey(info.key)) continue;
      const id = idOf(info);
      if (id === idOrPrefix) return this.#read(info, signal);
      if (id.startsWith(idOrPrefix)) matches.push(info);
    }
    const [only] = matches;
    if (only !== undefined && matches.length === 1) return this.#read(only, signal);
    const hint = "Run `ovault points` to see the recovery points.";
    if (only === undefined) throw new NotFoundError(`no recovery point ${idOrPrefix}`, { hint });
    throw new NotFoundError(`${matches.length} recovery points start with ${idOrPrefix}`, {
      hint: `Give more of the id: ${matches.slice(0, 5).map(idOf).join(", ")}`,
    });
  }

  /** True when there is a manifest of this point, whatever it says. */
  async holds(point: Pick<RecoveryPoint, "vm" | "id">, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#store.stat(this.#keyOf(point), { signal });
      return true;
    } catch (error) {
      if (hasCode(error, "E_OBJECT_NOT_FOUND")) return false;
      throw error;
    }
  }

  /** Makes a point invisible. Its chunks stay until pruned. */
  async forget(point: RecoveryPoint, signal: AbortSignal): Promise<void> {
    await this.#store.delete(this.#keyOf(point), { signal });
  }

  #keyOf({ vm, id }: Pick<RecoveryPoint, "vm" | "id">): ObjectKey {
    return pointKey(this.#protection.folderOf(vm.id), id);
  }

  async #read(info: ObjectInfo, signal: AbortSignal): Promise<RecoveryPoint> {
    const { key } = info;
    const value = decodeDocument(TYPE, VERSION, await readWhole(this.#store, info, { signal }), key);
    let point: RecoveryPoint;
    try {
      point = parsePoint(value);
    } catch (cause) {
      const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
      throw new IntegrityError(`${key} is not a recovery point: ${detail}`, { cause, context: { key } });
    }
    if (this.#keyOf(point) === key) return point;
    throw new IntegrityError(`${key} holds the manifest of another recovery point`, { context: { key } });
  }
}

/** Whatever else lies there is not ours. */
function isPointKey(key: ObjectKey): boolean {
  return /^points\/[0-9a-f]{32}\/[0-9a-z-]{1,64}$/.test(key);
}

function idOf({ key }: ObjectInfo): string {
  return key.slice(key.lastIndexOf("/") + 1);
}
