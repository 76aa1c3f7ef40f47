/**
 * Numbers of QCOW2 version 3 as far as we write it: no backing file, no snapshots, no compression, no encryption.
 * Source: docs/interop/qcow2.txt of QEMU. All integers are big-endian.
 */

export const CLUSTER_BYTES = 65_536;
const CLUSTER_BITS = 16;
/** Guest clusters that one L2 table maps. */
export const L2_ENTRIES = CLUSTER_BYTES / 8;
/** 16-bit reference counts. */
const REFCOUNT_ORDER = 4;
const REFCOUNTS_PER_BLOCK = CLUSTER_BYTES / 2;
const HEADER_BYTES = 104;
const MAGIC = 0x514649fb;
/** The entry's cluster is used once and may be written in place. */
const COPIED = 1n << 63n;
/** The cluster has a place and reads as zeros, whatever is there. */
const READS_AS_ZEROS = 1n;
/** QEMU refuses L1 tables above 32 MiB. */
const MAX_L1_ENTRIES = (32 * 2 ** 20) / 8;
export const MAX_VIRTUAL_BYTES = MAX_L1_ENTRIES * L2_ENTRIES * CLUSTER_BYTES;

export function clustersFor(bytes: number): number {
  return Math.ceil(bytes / CLUSTER_BYTES);
}

/** An L1 or L2 table from the numbers of the clusters it points to; 0 is unallocated and reads as zeros. */
export function pointerTable(clusters: Iterable<number>, count: number): Buffer {
  const table = Buffer.alloc(clustersFor(count * 8) * CLUSTER_BYTES);
  let at = 0;
  for (const cluster of clusters) {
    if (cluster !== 0) table.writeBigUInt64BE(l2Entry(cluster, "data"), at);
    at += 8;
  }
  return table;
}

/** The entry of an L2 table for a guest cluster with this place in the file. */
export function l2Entry(cluster: number, kind: "data" | "zero"): bigint {
  return (BigInt(cluster) << BigInt(CLUSTER_BITS)) | COPIED | (kind === "zero" ? READS_AS_ZEROS : 0n);
}

/** Reference count structures at the end of a file that uses every cluster once. */
export interface RefcountPlan {
  /** Place of the blocks, which the table follows. */
  readonly firstCluster: number;
  readonly blockCount: number;
  readonly tableClusters: number;
  /** Clusters of the whole file, including these structures: they count themselves. */
  readonly totalClusters: number;
}

export function planRefcounts(usedClusters: number): RefcountPlan {
  let blockCount = 0;
  let tableClusters = 0;
  let totalClusters = usedClusters;
  for (;;) {
    const blocks = Math.ceil(totalClusters / REFCOUNTS_PER_BLOCK);
    const tables = clustersFor(blocks * 8);
    if (blocks === blockCount && tables === tableClusters) break;
    blockCount = blocks;
    tableClusters = tables;
    totalClusters = usedClusters + blocks + tables;
  }
  return { firstCluster: usedClusters, blockCount, tableClusters, totalClusters };
}

/** One cluster of counts: 1 for each cluster of the file that it covers, 0 past the end. */
export function refcountBlock(plan: RefcountPlan, block: number): Buffer {
  const counted = Math.min(REFCOUNTS_PER_BLOCK, plan.totalClusters - block * REFCOUNTS_PER_BLOCK);
  const counts = Buffer.alloc(CLUSTER_BYTES);
  for (let entry = 0; entry < counted; entry += 1) counts[entry * 2 + 1] = 1;
  return counts;
}

export function refcountTable(plan: RefcountPlan): Buffer {
  const table = Buffer.alloc(plan.tableClusters * CLUSTER_BYTES);
  for (let block = 0; block < plan.blockCount; block += 1) {
    table.writeBigUInt64BE(BigInt(plan.firstCluster + block) * BigInt(CLUSTER_BYTES), block * 8);
  }
  return table;
}

/** The first cluster of the file. */
export function headerCluster(options: {
  readonly virtualBytes: number;
  readonly l1Entries: number;
  readonly l1Cluster: number;
  readonly refcounts: RefcountPlan;
}): Buffer {
  const { virtualBytes, l1Entries, l1Cluster, refcounts } = options;
  const header = Buffer.alloc(CLUSTER_BYTES);
  header.writeUInt32BE(MAGIC, 0);
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(CLUSTER_BITS, 20);
  header.writeBigUInt64BE(BigInt(virtualBytes), 24);
  header.writeUInt32BE(l1Entries, 36);
  header.writeBigUInt64BE(BigInt(l1Cluster) * BigInt(CLUSTER_BYTES), 40);
  header.writeBigUInt64BE(BigInt(refcounts.firstCluster + refcounts.blockCount) * BigInt(CLUSTER_BYTES), 48);
  header.writeUInt32BE(refcounts.tableClusters, 56);
  header.writeUInt32BE(REFCOUNT_ORDER, 96);
  header.writeUInt32BE(HEADER_BYTES, 100);
  return header;
}
