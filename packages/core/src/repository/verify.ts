import { lastValueFrom } from "rxjs";

import type { ObjectInfo } from "../contract/object-store.ts";
import type { RecoveryPoint } from "../contract/recovery-point.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { pullInLanes } from "../pipeline/pull-in-lanes.ts";
import { BitSet } from "../util/bit-set.ts";
import { toHex } from "../util/hex.ts";
import { PAGE_ENTRIES } from "./block-map-page.ts";
import type { ChunkId } from "./digest.ts";
import { PACKS } from "./layout.ts";
import { readPackListing } from "./pack-listing.ts";
import type { Repository } from "./repository.ts";

/** Something that cannot be restored as it was. */
export interface Damage {
  /** Id of the point, or null for an object that no point was asked about. */
  readonly point: string | null;
  readonly disk: string | null;
  /** On the disk, in bytes; null when the whole disk or object is concerned. */
  readonly offset: number | null;
  readonly reason: string;
}

export interface VerifyReport {
  readonly points: number;
  /** Distinct chunks of blocks that were read and match their digests, and their plain bytes. */
  readonly chunks: number;
  readonly bytes: number;
  readonly damage: readonly Damage[];
}

export interface VerifyOptions {
  readonly lanes?: number;
  readonly onProgress?: (progress: { readonly chunks: number; readonly bytes: number }) => void;
  readonly signal: AbortSignal;
}

/** Reads every chunk of the points once and proves it. Damage is reported, not thrown; a store that fails is thrown. */
export async function verifyPoints(
  repository: Repository,
  points: readonly RecoveryPoint[],
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { signal } = options;
  const proved = new BitSet();
  const broken = new Map<string, string>();
  const damage: Damage[] = [];
  let chunks = 0;
  let bytes = 0;

  /** The reason why a chunk is bad, or undefined. A chunk that many blocks share is read once. */
  const prove = async (id: ChunkId, laneSignal: AbortSignal): Promise<string | undefined> => {
    const before = repository.index.entryOf(id);
    if (before !== undefined && proved.has(before)) return undefined;
    const known = broken.get(toHex(id));
    if (known !== undefined) return known;
    let plainBytes = 0;
    const reason = await failureOf(async () => {
      plainBytes = (await repository.chunks.load(id, laneSignal)).byteLength;
    });
    if (reason !== undefined) {
      broken.set(toHex(id), reason);
      return reason;
    }
    // Asked again: a chunk of a lost index object is known only since it was loaded.
    const entry = repository.index.entryOf(id);
    if (entry !== undefined && proved.add(entry)) {
      chunks += 1;
      bytes += plainBytes;
      options.onProgress?.({ chunks, bytes });
    }
    return undefined;
  };

  for (const point of points) {
    for (const record of point.disks) {
      const found = (offset: number | null, reason: string): void => {
        damage.push({ point: point.id, disk: record.disk.alias, offset, reason });
      };
      const blocks = blocksOf(repository, point, record, found, signal);
      const check = async ({ id, offset }: { id: ChunkId; offset: number }, lane: AbortSignal): Promise<void> => {
        const reason = await prove(id, lane);
        if (reason !== undefined) found(offset, reason);
      };
      await lastValueFrom(pullInLanes(blocks, options.lanes ?? 4, check, signal), { defaultValue: undefined });
    }
  }
  return { points: points.length, chunks, bytes, damage };
}

/** Everything: the directory of every pack, every manifest, every index object, and all points as `verifyPoints` does. */
export async function verifyRepository(repository: Repository, options: VerifyOptions): Promise<VerifyReport> {
  const { signal } = options;
  const { points, damaged } = await repository.points.list(signal);
  const damage: Damage[] = [];
  const object = (reason: string): void => {
    damage.push({ point: null, disk: null, offset: null, reason });
  };
  for (const { key, error } of [...repository.damaged, ...damaged]) {
    object(error instanceof Error ? error.message : `${key} is damaged`);
  }
  const { store, protection } = repository;
  const checkPack = async (pack: ObjectInfo, lane: AbortSignal): Promise<void> => {
    const reason = await failureOf(async () => void (await readPackListing(store, protection, pack, lane)));
    if (reason !== undefined) object(reason);
  };
  const packs = pullInLanes(store.list(PACKS, { signal }), options.lanes ?? 4, checkPack, signal);
  await lastValueFrom(packs, { defaultValue: undefined });
  const report = await verifyPoints(repository, points, options);
  return { ...report, damage: [...damage, ...report.damage] };
}

async function* blocksOf(
  repository: Repository,
  point: RecoveryPoint,
  record: RecoveryPoint["disks"][number],
  found: (offset: number | null, reason: string) => void,
  signal: AbortSignal,
): AsyncGenerator<{ id: ChunkId; offset: number }> {
  let map: Awaited<ReturnType<Repository["openMap"]>> | undefined;
  const noMap = await failureOf(async () => {
    map = await repository.openMap(point, record, signal);
  });
  if (map === undefined) {
    found(null, noMap ?? "the block map cannot be read");
    return;
  }
  for (let leaf = 0; leaf < map.leafCount; leaf += 1) {
    let ids: readonly (ChunkId | null)[] = [];
    const first = leaf * PAGE_ENTRIES;
    const noLeaf = await failureOf(async () => {
      ids = (await map?.leaf(leaf, signal)) ?? [];
    });
    if (noLeaf !== undefined) found(first * point.blockBytes, noLeaf);
    for (const [index, id] of ids.entries()) if (id !== null) yield { id, offset: (first + index) * point.blockBytes };
  }
}

/** The message of an IntegrityError; any other failure is thrown on. */
async function failureOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (hasCode(error, "E_INTEGRITY")) return error.message;
    throw error;
  }
}
