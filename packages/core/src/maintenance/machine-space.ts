import type { ChunkIndex } from "../repository/index/chunk-index.ts";
import type { ChunksByMachine } from "./chunks-by-machine.ts";
import type { PackUse } from "./pack-use.ts";

/** What the points of one machine take, in bytes. */
export interface MachineSpace {
  /** As in its newest point. */
  readonly vm: { readonly id: string; readonly name: string; readonly manager: string };
  readonly points: number;
  /** Sum over the disks of all its points. */
  readonly logicalBytes: number;
  /** Chunks and pages that only its points need: forgetting all of them frees this much. */
  readonly ownBytes: number;
  /** Chunks and pages that its points share with points of other machines. */
  readonly sharedBytes: number;
}

export interface MachinesSpace {
  /** By `ownBytes`, largest first. */
  readonly machines: readonly MachineSpace[];
  /** Chunks and pages that several machines need, each counted once. */
  readonly sharedBytes: number;
  /** Blocks that any machine needs, each counted once, before compression. */
  readonly plainBytes: number;
}

export function machineSpace(index: ChunkIndex, use: PackUse, { owners, machines }: ChunksByMachine): MachinesSpace {
  const isData = Uint8Array.from(index.packs, ({ kind }) => Number(kind === "data"));
  const own = new Float64Array(machines.length);
  let [sharedBytes, plainBytes] = [0, 0];
  index.forEachPlace((entry, pack, bytes) => {
    if (!owners.has(entry) || !use.keeps(pack, entry)) return;
    if (isData[pack] === 1) plainBytes += index.plainBytesOf(entry);
    const owner = owners.ownerOf(entry);
    if (owner === undefined) sharedBytes += bytes;
    else own[owner] = (own[owner] ?? 0) + bytes;
  });
  const alone = new Float64Array(machines.length);
  for (let entry = 0; entry < index.size; entry += 1) {
    const owner = owners.ownerOf(entry);
    if (owner !== undefined) alone[owner] = (alone[owner] ?? 0) + index.storedBytesOf(entry);
  }
  const spaces = machines.map(({ vm: { id, name, manager }, points, logicalBytes, usedBytes }, number) => ({
    vm: { id, name, manager },
    points,
    logicalBytes,
    ownBytes: own[number] ?? 0,
    sharedBytes: usedBytes - (alone[number] ?? 0),
  }));
  return { machines: spaces.toSorted((a, b) => b.ownBytes - a.ownBytes), sharedBytes, plainBytes };
}
