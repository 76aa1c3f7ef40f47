import { machineKey, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";
import type { Repository } from "../repository/repository.ts";
import { BitSet } from "../util/bit-set.ts";
import { ChunkOwners } from "./chunk-owners.ts";
import { type LivenessOptions, markNeeds } from "./liveness.ts";

/** What the points of one virtual machine use. Sizes in bytes. */
export interface MachineUse {
  /** As its newest point has it. */
  readonly vm: VirtualMachine;
  readonly points: number;
  /** Of the disks of all its points. */
  readonly logicalBytes: number;
  /** Of all chunks and pages that they need, each counted once, as they were stored first. */
  readonly usedBytes: number;
}

export interface ChunksByMachine {
  /** By the numbers of the machines in the array. */
  readonly owners: ChunkOwners;
  readonly machines: readonly MachineUse[];
}

/**
 * Walks the block maps of each machine by itself. That reads pages again which machines share, and it takes four bytes for
 * a chunk and two bits more, however many machines and points there are.
 * @param points oldest first
 * @throws IntegrityError when it cannot be told what a point needs
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
