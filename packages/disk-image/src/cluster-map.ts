import { L2_ENTRIES } from "./qcow2-layout.ts";

/**
 * Where each guest cluster lies in the file: numbers of file clusters, 0 for none. Four bytes per guest cluster, in
 * tables that exist only for written ranges: 64 MiB of memory per TiB of data, nothing for empty ranges.
 */
export class ClusterMap {
  readonly #tables = new Map<number, Uint32Array>();
  #nextFree: number;

  /** Allocates file clusters from `firstFree` on. */
  constructor(firstFree: number) {
    this.#nextFree = firstFree;
  }

  /** Number of file clusters allocated here or in use before. */
  get end(): number {
    return this.#nextFree;
  }

  get(guestCluster: number): number {
    return this.#tables.get(Math.floor(guestCluster / L2_ENTRIES))?.[guestCluster % L2_ENTRIES] ?? 0;
  }

  /** The guest cluster's place; a fresh one (which reads as zeros) if it had none. */
  allocate(guestCluster: number): number {
    const index = Math.floor(guestCluster / L2_ENTRIES);
    let table = this.#tables.get(index);
    if (table === undefined) {
      table = new Uint32Array(L2_ENTRIES);
      this.#tables.set(index, table);
    }
    const present = table[guestCluster % L2_ENTRIES] ?? 0;
    if (present !== 0) return present;
    table[guestCluster % L2_ENTRIES] = this.#nextFree;
    this.#nextFree += 1;
    return this.#nextFree - 1;
  }

  /** Allocated guest clusters from `first` to before `end`, ascending. */
  *allocatedWithin(first: number, end: number): Generator<number> {
    const lastTable = Math.floor((end - 1) / L2_ENTRIES);
    for (let index = Math.floor(first / L2_ENTRIES); index <= lastTable; index += 1) {
      const table = this.#tables.get(index);
      if (table === undefined) continue;
      const base = index * L2_ENTRIES;
      for (let cluster = Math.max(first, base); cluster < Math.min(end, base + L2_ENTRIES); cluster += 1) {
        if (table[cluster - base] !== 0) yield cluster;
      }
    }
  }

  /** The tables that exist, by ascending L1 index. */
  tables(): readonly (readonly [index: number, clusters: Uint32Array])[] {
    return [...this.#tables].toSorted(([a], [b]) => a - b);
  }
}
