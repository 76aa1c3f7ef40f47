import { ImageCorruptError, ImageUnsupportedError } from "./errors.ts";

/** What a QCOW2 header says, checked. Offsets and sizes in bytes. Source: docs/interop/qcow2.txt of QEMU. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly logicalBytes: number;
  readonly l1Offset: number;
  readonly l1Entries: number;
  readonly compression: "deflate" | "zstd";
  /** Clusters are made of 32 subclusters, and L2 entries have 16 bytes. */
  readonly subclusters: boolean;
  readonly backing: BackingReference | undefined;
}

/** As the image names it: for people and for those who know where images lie, never a path to open as it stands. */
export interface BackingReference {
  readonly file: string;
  /** `raw`, `qcow2`, …; images made by old tools do not say. */
  readonly format: string | undefined;
}

/** The header with all its extensions and the name of the backing file lies in the first cluster. */
export const HEADER_READ_BYTES = 64 * 1024;

const MAGIC = 0x514649fb;
const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
const SMALLEST_CLUSTER_BITS = 9;
const LARGEST_CLUSTER_BITS = 21;
const SMALLEST_SUBCLUSTERED_BITS = 14;
const LONGEST_BACKING_NAME = 1023;
/** As QEMU. */
const LARGEST_L1_BYTES = 32 * 1024 * 1024;

const INCOMPATIBLE = { dirty: 1, corrupt: 2, externalData: 4, compressionType: 8, subclusters: 16 } as const;
const KNOWN_INCOMPATIBLE = 31;
const EXTENSION_BACKING_FORMAT = 0xe2792aca;
const EXTENSION_END = 0;

/** `bytes`: the first HEADER_READ_BYTES of the file, or all of it. */
export function parseHeader(bytes: Buffer): Qcow2Header {
  if (bytes.length < V2_HEADER_BYTES || bytes.readUInt32BE(0) !== MAGIC) {
    throw new ImageCorruptError("this is not a QCOW2 image: it does not begin like one");
  }
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw new ImageUnsupportedError(`QCOW2 version ${version} is not supported`);
  if (version === 3 && bytes.length < V3_HEADER_BYTES) throw new ImageCorruptError("the image ends within its header");
  if (bytes.readUInt32BE(32) !== 0) {
    throw new ImageUnsupportedError("the image is encrypted", { hint: "Only the hypervisor can read it." });
  }
  const headerBytes = version === 2 ? V2_HEADER_BYTES : bytes.readUInt32BE(100);
  const features = version === 2 ? 0 : incompatibleFeatures(bytes);
  const subclusters = (features & INCOMPATIBLE.subclusters) !== 0;
  const clusterBits = bytes.readUInt32BE(20);
  const fewest = subclusters ? SMALLEST_SUBCLUSTERED_BITS : SMALLEST_CLUSTER_BITS;
  if (clusterBits < fewest || clusterBits > LARGEST_CLUSTER_BITS) {
    throw new ImageCorruptError(`clusters of 2^${clusterBits} bytes are not possible`);
  }
  const logicalBytes = safeNumber(bytes.readBigUInt64BE(24), "size");
  const l1Entries = bytes.readUInt32BE(36);
  const l1Offset = safeNumber(bytes.readBigUInt64BE(40), "place of the L1 table");
  const clusterBytes = 2 ** clusterBits;
  const reach = clusterBytes * (clusterBytes / (subclusters ? 16 : 8));
  if (l1Entries * 8 > LARGEST_L1_BYTES || l1Entries * reach < logicalBytes || l1Offset % clusterBytes !== 0) {
    throw new ImageCorruptError("the L1 table does not fit the size of the disk", {
      context: { l1Entries, l1Offset, logicalBytes },
    });
  }
  return {
    version,
    clusterBits,
    logicalBytes,
    l1Offset,
    l1Entries,
    compression: compressionOf(bytes, features, headerBytes),
    subclusters,
    backing: backingOf(bytes, headerBytes),
  };
}

function incompatibleFeatures(bytes: Buffer): number {
  const features = bytes.readBigUInt64BE(72);
  const unknown = features & ~BigInt(KNOWN_INCOMPATIBLE);
  if (unknown !== 0n) throw new ImageUnsupportedError(`the image has unknown features (0x${unknown.toString(16)})`);
  const known = Number(features);
  if ((known & INCOMPATIBLE.externalData) !== 0) {
    throw new ImageUnsupportedError("the image keeps its data in another file", {
      hint: "Convert it with `qemu-img convert` first.",
    });
  }
  return known;
}

function compressionOf(bytes: Buffer, features: number, headerBytes: number): Qcow2Header["compression"] {
  if ((features & INCOMPATIBLE.compressionType) === 0) return "deflate";
  const type = headerBytes > V3_HEADER_BYTES && bytes.length > V3_HEADER_BYTES ? bytes.readUInt8(V3_HEADER_BYTES) : 0;
  if (type === 0) return "deflate";
  if (type === 1) return "zstd";
  throw new ImageUnsupportedError(`compression type ${type} is not supported`);
}

function backingOf(bytes: Buffer, headerBytes: number): BackingReference | undefined {
  const offset = safeNumber(bytes.readBigUInt64BE(8), "place of the backing file's name");
  const length = bytes.readUInt32BE(16);
  if (offset === 0 || length === 0) return undefined;
  if (length > LONGEST_BACKING_NAME || offset + length > bytes.length) {
    throw new ImageCorruptError("the name of the backing file lies outside the header", {
      context: { offset, length },
    });
  }
  const file = bytes.toString("utf8", offset, offset + length);
  return { file, format: backingFormat(bytes, headerBytes) };
}

function backingFormat(bytes: Buffer, headerBytes: number): string | undefined {
  for (let at = headerBytes; at + 8 <= bytes.length;) {
    const type = bytes.readUInt32BE(at);
    const length = bytes.readUInt32BE(at + 4);
    if (type === EXTENSION_END) return undefined;
    if (at + 8 + length > bytes.length)
      throw new ImageCorruptError("a header extension does not end within the header");
    if (type === EXTENSION_BACKING_FORMAT) return bytes.toString("latin1", at + 8, at + 8 + length);
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return undefined;
}

function safeNumber(value: bigint, what: string): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new ImageCorruptError(`the ${what} is absurd: ${value}`);
}
