import * as fc from "fast-check";
import { expect } from "vitest";

import { type Codec, hasCode, type ObjectStore, processIdentity, type RecoveryPoint } from "@ovault/contract";
import { originOf, type Repository, type RepositorySecret, verifySample } from "@ovault/core";
import { acquireLease } from "@ovault/core/internal/leases/lease";
import { applyChanges, MemoryStore, type ModelDisk, sourceOf } from "@ovault/testkit";

import { putCondemned, putVerdict } from "@ovault/core/internal/repository/packs/condemned-packs";
import { newKeyFile, reopenEncrypted, smallEncrypted } from "./encrypted-repository.ts";
import { reopen, smallRepository } from "./small-repository.ts";
import { never, restoredBytes, takePoint } from "./take-point.ts";

export const BLOCK_BYTES = 512;

/** A repository in memory with points whose content is known. */
export class ModelRepository {
  readonly store: MemoryStore;
  readonly secret: RepositorySecret | undefined;
  /** Bytes of every disk, by point. */
  readonly content: Map<string, readonly Uint8Array[]>;

  private constructor(
    store: MemoryStore,
    secret: RepositorySecret | undefined,
    content: Map<string, readonly Uint8Array[]>,
  ) {
    this.store = store;
    this.secret = secret;
    this.content = content;
  }

  static async create({ encrypted = false } = {}): Promise<ModelRepository> {
    const store = new MemoryStore();
    const secret = encrypted ? newKeyFile() : undefined;
    if (secret === undefined) await smallRepository(store, BLOCK_BYTES);
    else await smallEncrypted(store, secret, { blockBytes: BLOCK_BYTES });
    return new ModelRepository(store, secret, new Map());
  }

  /** The same, to be harmed. */
  clone(): ModelRepository {
    const store = new MemoryStore();
    for (const [key, bytes] of this.store.objects) store.objects.set(key, bytes);
    return new ModelRepository(store, this.secret, new Map(this.content));
  }

  /** As another process would. `store` stands before the own one. */
  open(store: ObjectStore = this.store, codec?: Codec): Promise<Repository> {
    return this.secret === undefined ? reopen(store, codec) : reopenEncrypted(store, this.secret, codec);
  }

  /** Takes a point of these disks; with a base, of what has changed in them. */
  async take(disks: readonly ModelDisk[], base?: RecoveryPoint): Promise<RecoveryPoint> {
    const mode = base === undefined ? "full" : "incremental";
    const sources = disks.map((disk, number) => sourceOf(disk, { mode, id: `disk-${number}` }));
    const point = await takePoint(await this.open(), sources, { base });
    this.content.set(
      point.id,
      disks.map(({ bytes }) => bytes),
    );
    return point;
  }

  /** What other commands leave: a lease that was given back, packs that prune looks at, a check of all packs. */
  async addRecords(): Promise<void> {
    const repository = await this.open();
    const holder = { runId: "run", ...processIdentity() };
    const options = { resource: "vm-1", holder, ttlMs: 60_000, ifBusy: "refuse", signal: never } as const;
    await (await acquireLease(repository.store, options)).release();
    const [pack] = repository.index.packs;
    const packs = pack === undefined ? [] : [pack.name];
    const name = await putCondemned(repository.store, { at: new Date().toISOString(), packs, points: [] }, never);
    await putVerdict(repository.store, name, { at: new Date().toISOString(), packs: [], points: [] }, never);
    await verifySample(repository, { share: 1, signal: never });
  }

  /**
   * Which disks of which points can be restored, as `POINT/NUMBER`; copies by the ids of their origins. Never lets wrong
   * bytes pass.
   */
  async restorable(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    const repository = await openUnlessDamaged(() => this.open());
    if (repository === undefined) return found;
    for (const point of (await repository.points.list(never)).points) {
      const origin = originOf(point.id);
      for (const [number, bytes] of (this.content.get(origin) ?? []).entries()) {
        if (await isWhole(repository, { point, number, bytes })) found.add(`${origin}/${number}`);
      }
    }
    return found;
  }
}

interface Harm {
  /** Which object, as a fraction of all that may be harmed. */
  readonly which: number;
  readonly kind: "flip" | "cut" | "delete" | "garble";
  /** Where in the object, as a fraction. */
  readonly at: number;
  readonly bit: number;
}

/** Of something, evenly. */
const fraction = fc.noBias(fc.nat(999_999)).map((millionths) => millionths / 1e6);

const arbitraryHarm: fc.Arbitrary<Harm> = fc.record({
  which: fraction,
  kind: fc.constantFrom("flip", "cut", "delete", "garble"),
  at: fraction,
  bit: fc.nat(7),
});

export const arbitraryHarms: fc.Arbitrary<Harm[]> = fc.array(arbitraryHarm, { maxLength: 3 });

/** Harms one object of a store, but not its settings and keys. Answers its key. */
export function harm({ objects }: MemoryStore, { which, kind, at, bit }: Harm): string {
  const keys = [...objects.keys()].filter((key) => key !== "ovault-repository" && !key.startsWith("keys/")).toSorted();
  const key = keys[Math.floor(which * keys.length)] ?? "";
  const object = Uint8Array.from(objects.get(key) ?? new Uint8Array());
  const position = Math.floor(at * object.byteLength);
  if (kind === "delete") objects.delete(key);
  if (kind === "cut") objects.set(key, object.slice(0, position));
  if (kind === "garble") objects.set(key, Buffer.from("nothing that ovault wrote"));
  if (kind === "flip") {
    object[position] = (object[position] ?? 0) ^ (1 << bit);
    objects.set(key, object);
  }
  return key;
}

/** Two points of one small disk, with what other commands leave beside them. */
export async function twoPoints(options: { readonly encrypted?: boolean } = {}): Promise<ModelRepository> {
  const model = await ModelRepository.create(options);
  const disk = narrowDisk(7003);
  const base = await model.take([disk]);
  await model.take([applyChanges(disk, { changes: [{ at: 0.3, length: 1500, seed: 30 }], grownBy: 0 })], base);
  await model.addRecords();
  return model;
}

/** Three points of two disks, the second one so wide and sparse that its block map has several leaves. */
export async function threePoints(options: { readonly encrypted?: boolean } = {}): Promise<ModelRepository> {
  const model = await ModelRepository.create(options);
  let disks = [narrowDisk(9001), wideDisk()];
  let base = await model.take(disks);
  for (const at of [0.3, 0.8]) {
    const seed = Math.round(at * 100);
    disks = disks.map((disk) => applyChanges(disk, { changes: [{ at, length: 1500, seed }], grownBy: 0 }));
    base = await model.take(disks, base);
  }
  await model.addRecords();
  return model;
}

function narrowDisk(length: number): ModelDisk {
  const bytes = Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
  return { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" }] };
}

function wideDisk(): ModelDisk {
  const bytes = new Uint8Array(2100 * BLOCK_BYTES + 77);
  for (const start of [0, 1030, 2095]) {
    for (let at = start * BLOCK_BYTES; at < (start + 3) * BLOCK_BYTES; at += 1) bytes[at] = (at * 7 + (at >> 9)) & 0xff;
  }
  return { bytes, extents: [{ offset: 0, length: bytes.byteLength, kind: "data" }] };
}

export async function openUnlessDamaged(open: () => Promise<Repository>): Promise<Repository | undefined> {
  try {
    return await open();
  } catch (error) {
    if (hasCode(error, "E_INTEGRITY") || hasCode(error, "E_REPOSITORY_VERSION")) return undefined;
    throw error;
  }
}

async function isWhole(
  repository: Repository,
  { point, number, bytes }: { readonly point: RecoveryPoint; readonly number: number; readonly bytes: Uint8Array },
): Promise<boolean> {
  let restored: Uint8Array;
  try {
    restored = await restoredBytes(repository, point, number);
  } catch (error) {
    if (hasCode(error, "E_INTEGRITY")) return false;
    throw error;
  }
  // Far quicker than toEqual on a megabyte.
  expect(Buffer.compare(restored, bytes)).toBe(0);
  return true;
}
