import { machineKey, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";
import type { Repository } from "../repository/repository.ts";
import { BitSet } from "../util/bit-set.ts";
import { ChunkOwners } from "./chunk-owners.ts";
import { type LivenessOptions, markNeeds } from "./liveness.ts";

/** What the points of one virtual machine use. Sizes in bytes. */
export interface MachineUse {
  /** As in its newest point. */
  readonly vm: VirtualMachine;
  readonly points: number;
  /** Sum over the disks of all its points. */
  readonly logicalBytes: number;
  /** Stored size of all chunks and pages that they need, each counted once, as first stored. */
  readonly usedBytes: number;
}

export interface ChunksByMachine {
  /** Owners are indexes into `machines`. */
  readonly owners: ChunkOwners;
  readonly machines: readonly MachineUse[];
}

/**
 * Walks the block maps of each machine by itself. That reads pages that machines share several times, and takes four
 * bytes and two bits per chunk, however many machines and points there are.
 * @param points oldest first
 * @throws IntegrityError when the needs of a point cannot be determined
 */
export async function chunksByMachine(
  repository: Repository,
  points: readonly RecoveryPoint[],
  options: LivenessOptions,
): Promise<ChunksByMachine> {
  const owners = new ChunkOwners();
  const machines: MachineUse[] = [];
  for (const [, own] of Map.groupBy(points, ({ vm }) => machineKey(vm))) {
    const newest = own.at(-1);
    if (newest === undefined) continue;
    const seen = new BitSet();
    let usedBytes = 0;
    const add = (entry: number): void => {
      if (!seen.add(entry)) return;
      owners.claim(entry, machines.length);
      usedBytes += repository.index.storedBytesOf(entry);
    };
    await markNeeds(repository, own, { needed: { add }, walked: new BitSet() }, options);
    machines.push({ vm: newest.vm, points: own.length, logicalBytes: logicalBytesOf(own), usedBytes });
  }
  return { owners, machines };
}

function logicalBytesOf(points: readonly RecoveryPoint[]): number {
  return points.flatMap(({ disks }) => disks).reduce((sum, { stats }) => sum + stats.logicalBytes, 0);
}
