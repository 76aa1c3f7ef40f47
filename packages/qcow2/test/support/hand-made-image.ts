import { deflateRawSync, zstdCompressSync } from "node:zlib";

import * as fc from "fast-check";

const SECTOR = 512;
const COPIED = 2n ** 63n;
const COMPRESSED = 2n ** 62n;
const ZERO = 1n;
const END = 0;
const BACKING_FORMAT = 0xe2792aca;
const FEATURE_DIRTY = 1;
const FEATURE_CORRUPT = 2;
const FEATURE_ZSTD = 8;
const FEATURE_SUBCLUSTERS = 16;

/** An image as no version of qemu-img writes it, and yet sound: what the specification leaves open is drawn. */
export interface HandMadeRecipe {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  /** Past the last whole cluster, and past its last sector. */
  readonly sizeTail: number;
  readonly clusters: readonly ClusterRecipe[];
  /** Version 3: longer headers have fields of tools to come. */
  readonly headerBytes: number;
  readonly refcountOrder: number;
  readonly extendedL2: boolean;
  readonly zstd: boolean;
  readonly dirty: boolean;
  readonly corrupt: boolean;
  /** Compatible and autoclear features that nothing knows. */
  readonly unknownFlags: boolean;
  readonly extensions: readonly UnknownExtension[];
  readonly extensionsEnd: boolean;
  readonly backing: BackingRecipe | undefined;
  /** Entries of the L1 table past the end of the disk, as internal snapshots of memory leave them. */
  readonly spareL1Entries: number;
  /** How much of the file's last cluster is there: 0 is a byte, 1 is all of it. */
  readonly lastCluster: number;
}

export type ClusterRecipe =
  | { readonly kind: "data" | "compressed"; readonly seed: number }
  | { readonly kind: "absent" | "zero" | "zero over data" }
  | { readonly kind: "subclusters"; readonly seed: number; readonly allocated: number; readonly zero: number };

interface UnknownExtension {
  readonly type: number;
  readonly bytes: number;
}

export interface BackingRecipe {
  readonly file: string;
  /** As it stands in the header; undefined: no extension of that kind. */
  readonly format: string | undefined;
  /** NULs behind the format, and behind the name, that their lengths count. */
  readonly padding: number;
  /** Where the name lies: right behind the extensions, or with a gap. */
  readonly gap: number;
}

const seeds = fc.integer({ min: 1, max: 0xffff });
const bitmap = fc.integer({ min: 0, max: 0xffffffff });

function clusterRecipe(version: 2 | 3, extendedL2: boolean): fc.Arbitrary<ClusterRecipe> {
  const data = fc.record({ kind: fc.constantFrom("data" as const, "compressed" as const), seed: seeds });
  const absent = fc.constant({ kind: "absent" as const });
  const zero = fc.constantFrom({ kind: "zero" as const }, { kind: "zero over data" as const });
  const subclusters = fc.record({
    kind: fc.constant("subclusters" as const),
    seed: seeds,
    allocated: bitmap,
    zero: bitmap,
  });
  if (extendedL2) return fc.oneof(data, absent, subclusters, subclusters);
  return version === 2 ? fc.oneof(data, absent) : fc.oneof(data, absent, zero);
}

const backingRecipe: fc.Arbitrary<BackingRecipe> = fc
  .record({
    file: fc.constantFrom("base.raw", "odd.raw", "base.qcow2"),
    format: fc.constantFrom("named", undefined, ""),
    padding: fc.integer({ min: 0, max: 4 }),
    gap: fc.constantFrom(0, 0, 8, 24),
  })
  .map((recipe) => ({
    ...recipe,
    format: recipe.format === "named" ? (recipe.file.endsWith("raw") ? "raw" : "qcow2") : recipe.format,
  }));

export const handMadeRecipe: fc.Arbitrary<HandMadeRecipe> = fc
  .record({ version: fc.constantFrom(2 as const, 3 as const), extended: fc.boolean() })
  .chain(({ version, extended }) => {
    const extendedL2 = version === 3 && extended;
    return fc.record({
      version: fc.constant(version),
      extendedL2: fc.constant(extendedL2),
      clusterBits: extendedL2 ? fc.constantFrom(14, 16) : fc.constantFrom(9, 9, 9, 10, 10, 12, 12, 15, 16, 16, 18, 21),
      sizeTail: fc.integer({ min: 0, max: 1_500 }),
      clusters: fc.array(clusterRecipe(version, extendedL2), { minLength: 0, maxLength: 8 }),
      headerBytes: version === 2 ? fc.constant(72) : fc.constantFrom(104, 112, 120, 160),
      refcountOrder: version === 2 ? fc.constant(4) : fc.integer({ min: 0, max: 6 }),
      zstd: version === 2 ? fc.constant(false) : fc.boolean(),
      dirty: fc.boolean(),
      corrupt: fc.boolean(),
      unknownFlags: fc.boolean(),
      extensions: fc.array(
        fc.record({ type: fc.integer({ min: 1, max: 0xffff }), bytes: fc.integer({ min: 0, max: 20 }) }),
        { maxLength: 2 },
      ),
      extensionsEnd: fc.boolean(),
      backing: fc.option(backingRecipe, { nil: undefined }),
      spareL1Entries: fc.constantFrom(0, 0, 1, 5),
      lastCluster: fc.double({ min: 0, max: 1, noNaN: true }),
    });
  })
  // A header of 104 bytes has no room for the type of compression.
  .map((recipe) => ({ ...recipe, zstd: recipe.zstd && recipe.headerBytes > 104 }));

/** A file of the image, and where its parts lie. */
export function handMade(recipe: HandMadeRecipe): Buffer {
  const { clusterBits, clusters, extendedL2, refcountOrder, lastCluster } = recipe;
  const clusterBytes = 2 ** clusterBits;
  const entryBytes = extendedL2 ? 16 : 8;
  const size = clusters.length * clusterBytes + recipe.sizeTail;
  const perTable = clusterBytes / entryBytes;
  const mapped = Math.ceil(size / clusterBytes);
  const tables = Math.ceil(mapped / perTable);
  const l1Entries = tables + recipe.spareL1Entries;

  const file = new Clusters(clusterBytes);
  const header = file.take();
  const refcountTable = file.take();
  const refcountBlock = file.take();
  const l1 = file.take(Math.max(1, Math.ceil((l1Entries * 8) / clusterBytes)));
  const l2 = Array.from({ length: clusters.length === 0 ? 0 : Math.ceil(clusters.length / perTable) }, () =>
    file.take(),
  );
  l2.forEach((table, index) => file.bytes.writeBigUInt64BE(BigInt(table) | COPIED, l1 + index * 8));
  clusters.forEach((cluster, index) => {
    const entry = (l2[Math.floor(index / perTable)] ?? 0) + (index % perTable) * entryBytes;
    writeCluster(file, entry, cluster, recipe);
  });
  writeHeader(file, header, recipe, { size, l1, l1Entries, refcountTable });
  file.bytes.writeBigUInt64BE(BigInt(refcountBlock), refcountTable);
  file.counts.forEach((count, cluster) => writeRefcount(file.bytes, refcountBlock, refcountOrder, cluster, count));
  const all = file.counts.length * clusterBytes;
  const missing = Math.floor((1 - lastCluster) * (clusterBytes - 1));
  return file.bytes.subarray(0, all - missing);
}

/** Clusters of a file, taken one after another. */
class Clusters {
  /** References to each cluster. */
  readonly counts: number[] = [];
  readonly clusterBytes: number;
  #bytes = Buffer.alloc(0);

  constructor(clusterBytes: number) {
    this.clusterBytes = clusterBytes;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  take(count = 1): number {
    const at = this.#bytes.length;
    this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(count * this.clusterBytes)]);
    for (let taken = 0; taken < count; taken += 1) this.counts.push(1);
    return at;
  }
}

function writeCluster(file: Clusters, entry: number, cluster: ClusterRecipe, recipe: HandMadeRecipe): void {
  switch (cluster.kind) {
    case "absent":
      return;
    case "zero":
      file.bytes.writeBigUInt64BE(ZERO, entry);
      return;
    case "zero over data": {
      const at = file.take();
      fill(file.bytes, at, file.clusterBytes, 7);
      file.bytes.writeBigUInt64BE(BigInt(at) | COPIED | ZERO, entry);
      return;
    }
    case "data": {
      const at = file.take();
      fill(file.bytes, at, file.clusterBytes, cluster.seed);
      file.bytes.writeBigUInt64BE(BigInt(at) | COPIED, entry);
      if (recipe.extendedL2) file.bytes.writeBigUInt64BE(0xffffffffn, entry + 8);
      return;
    }
    case "subclusters": {
      const zero = cluster.zero & ~cluster.allocated;
      const at = cluster.allocated === 0 ? undefined : file.take();
      if (at !== undefined) {
        fill(file.bytes, at, file.clusterBytes, cluster.seed);
        file.bytes.writeBigUInt64BE(BigInt(at) | COPIED, entry);
      }
      file.bytes.writeUInt32BE(zero >>> 0, entry + 8);
      file.bytes.writeUInt32BE(cluster.allocated >>> 0, entry + 12);
      return;
    }
    case "compressed":
      return writeCompressed(file, entry, cluster.seed, recipe);
  }
}

/** At an odd place of a cluster, so that it is counted in sectors that it does not fill. */
function writeCompressed(file: Clusters, entry: number, seed: number, { clusterBits, zstd }: HandMadeRecipe): void {
  const plain = Buffer.alloc(file.clusterBytes);
  plain.fill(seed & 0xff, 0, file.clusterBytes / 2);
  plain.write(`cluster ${seed}`, 3);
  const packed = zstd ? zstdCompressSync(plain) : deflateRawSync(plain, { windowBits: 12 });
  const at = file.take() + (seed % Math.max(1, file.clusterBytes - packed.length));
  packed.copy(file.bytes, at);
  const sectors = Math.floor((at + packed.length - 1) / SECTOR) - Math.floor(at / SECTOR);
  file.bytes.writeBigUInt64BE(COMPRESSED | (BigInt(sectors) << BigInt(62 - (clusterBits - 8))) | BigInt(at), entry);
}

function fill(bytes: Buffer, at: number, length: number, seed: number): void {
  for (let place = 0; place < length; place += SECTOR) {
    bytes.fill((seed + place / SECTOR) & 0xff || 1, at + place, at + place + SECTOR - 3);
  }
}

function writeRefcount(bytes: Buffer, block: number, order: number, index: number, count: number): void {
  const bits = 2 ** order;
  if (bits >= 8) {
    const width = bits / 8;
    bytes[block + (index + 1) * width - 1] = count;
    return;
  }
  const place = index * bits;
  const at = block + Math.floor(place / 8);
  bytes[at] = (bytes[at] ?? 0) | (count << (place % 8));
}

function writeHeader(
  file: Clusters,
  at: number,
  recipe: HandMadeRecipe,
  tables: { readonly size: number; readonly l1: number; readonly l1Entries: number; readonly refcountTable: number },
): void {
  const { bytes } = file;
  const { version, headerBytes, backing } = recipe;
  bytes.writeUInt32BE(0x514649fb, at);
  bytes.writeUInt32BE(version, at + 4);
  bytes.writeUInt32BE(recipe.clusterBits, at + 20);
  bytes.writeBigUInt64BE(BigInt(tables.size), at + 24);
  bytes.writeUInt32BE(tables.l1Entries, at + 36);
  bytes.writeBigUInt64BE(BigInt(tables.l1), at + 40);
  bytes.writeBigUInt64BE(BigInt(tables.refcountTable), at + 48);
  bytes.writeUInt32BE(1, at + 56);
  if (version === 3) {
    const incompatible =
      (recipe.dirty ? FEATURE_DIRTY : 0) |
      (recipe.corrupt ? FEATURE_CORRUPT : 0) |
      (recipe.zstd ? FEATURE_ZSTD : 0) |
      (recipe.extendedL2 ? FEATURE_SUBCLUSTERS : 0);
    bytes.writeBigUInt64BE(BigInt(incompatible), at + 72);
    if (recipe.unknownFlags) {
      bytes.writeBigUInt64BE(0xf0n, at + 80);
      bytes.writeBigUInt64BE(0xf0n, at + 88);
    }
    bytes.writeUInt32BE(recipe.refcountOrder, at + 96);
    bytes.writeUInt32BE(headerBytes, at + 100);
    if (headerBytes > 104) bytes.writeUInt8(recipe.zstd ? 1 : 0, at + 104);
    if (headerBytes > 112) bytes.fill(0x5a, at + 112, at + headerBytes);
  }
  let end = at + headerBytes;
  const extension = (type: number, content: Buffer): void => {
    bytes.writeUInt32BE(type, end);
    bytes.writeUInt32BE(content.length, end + 4);
    content.copy(bytes, end + 8);
    end += 8 + Math.ceil(content.length / 8) * 8;
  };
  for (const { type, bytes: length } of recipe.extensions) extension(type, Buffer.alloc(length, 0x5a));
  if (backing === undefined) {
    if (recipe.extensionsEnd) extension(END, Buffer.alloc(0));
    return;
  }
  const padding = "\0".repeat(backing.padding);
  if (backing.format !== undefined) extension(BACKING_FORMAT, Buffer.from(backing.format + padding));
  if (recipe.extensionsEnd || backing.gap > 0) extension(END, Buffer.alloc(0));
  const name = Buffer.from(backing.file + padding);
  const place = end + backing.gap;
  name.copy(bytes, place);
  bytes.writeBigUInt64BE(BigInt(place), at + 8);
  bytes.writeUInt32BE(name.length, at + 16);
}
