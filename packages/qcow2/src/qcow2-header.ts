import type { ByteSource } from "./byte-source.ts";
import { ImageCorruptError, ImageUnsupportedError } from "./errors.ts";

/** A checked QCOW2 header. Offsets and sizes in bytes. Source: docs/interop/qcow2.txt of QEMU. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly logicalBytes: number;
  readonly l1Offset: number;
  readonly l1Entries: number;
  readonly compression: "deflate" | "zstd";
  /** Clusters have 32 subclusters, and L2 entries 16 bytes. */
  readonly subclusters: boolean;
  readonly backing: BackingReference | undefined;
}

/** The base as the image names it: for messages and for callers that know where images lie, never a path to open. */
export interface BackingReference {
  readonly file: string;
  /** `raw`, `qcow2`, …; `undefined` in images of old tools. */
  readonly format: string | undefined;
}

export const QCOW2_MAGIC = 0x514649fb;

/** Holds the extensions and the name of the backing file in nearly every image. */
const FIRST_READ_BYTES = 64 * 1024;
const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
const SECTOR_BYTES = 512;
const SMALLEST_CLUSTER_BITS = 9;
const LARGEST_CLUSTER_BITS = 21;
const SMALLEST_SUBCLUSTERED_BITS = 14;
const LONGEST_BACKING_NAME = 1023;
const LONGEST_BACKING_FORMAT = 15;
/** QEMU's limit. */
const LARGEST_L1_BYTES = 32 * 1024 * 1024;

const INCOMPATIBLE = { dirty: 1, corrupt: 2, externalData: 4, compressionType: 8, subclusters: 16 } as const;
const KNOWN_INCOMPATIBLE = 31;
const EXTENSION_BACKING_FORMAT = 0xe2792aca;
const EXTENSION_END = 0;

/** Reads and checks the header. The missing part of the first cluster of a short file reads as zeros. */
export async function readHeader(source: ByteSource, signal: AbortSignal): Promise<Qcow2Header> {
  const start = await startOf(source, FIRST_READ_BYTES, signal);
  const { name, ...header } = parseHeader(start);
  if (name === undefined) return { ...header, backing: undefined };
  const nameEnd = name.offset + name.length;
  const bytes = nameEnd <= start.length ? start : await startOf(source, nameEnd, signal);
  return { ...header, backing: backingOf(bytes, name) };
}

/** Place of the name of the backing file, and start of the extensions before it. */
interface BackingName {
  readonly extensions: number;
  readonly offset: number;
  readonly length: number;
}

async function startOf(source: ByteSource, length: number, signal: AbortSignal): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  await source.readInto(0, bytes.subarray(0, Math.min(length, source.fileBytes)), signal);
  return bytes;
}

function parseHeader(bytes: Buffer): Omit<Qcow2Header, "backing"> & { readonly name: BackingName | undefined } {
  if (bytes.readUInt32BE(0) !== QCOW2_MAGIC) {
    throw new ImageCorruptError("this is not a QCOW2 image: it does not begin like one");
  }
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw new ImageUnsupportedError(`QCOW2 version ${version} is not supported`);
  if (bytes.readUInt32BE(32) !== 0) {
    throw new ImageUnsupportedError("the image is encrypted", { hint: "Only the hypervisor can read it." });
  }
  const features = version === 2 ? 0 : incompatibleFeatures(bytes);
  const subclusters = (features & INCOMPATIBLE.subclusters) !== 0;
  const clusterBits = bytes.readUInt32BE(20);
  const fewest = subclusters ? SMALLEST_SUBCLUSTERED_BITS : SMALLEST_CLUSTER_BITS;
  if (clusterBits < fewest || clusterBits > LARGEST_CLUSTER_BITS) {
    throw new ImageCorruptError(`clusters of 2^${clusterBits} bytes are not possible`);
  }
  const clusterBytes = 2 ** clusterBits;
  const headerBytes = version === 2 ? V2_HEADER_BYTES : bytes.readUInt32BE(100);
  if (headerBytes < (version === 2 ? V2_HEADER_BYTES : V3_HEADER_BYTES) || headerBytes > clusterBytes) {
    throw new ImageCorruptError(`a header of ${headerBytes} bytes is not possible`);
  }
  const logicalBytes = safeNumber(bytes.readBigUInt64BE(24), "size");
  const l1Entries = bytes.readUInt32BE(36);
  const l1Offset = safeNumber(bytes.readBigUInt64BE(40), "place of the L1 table");
  const reach = clusterBytes * (clusterBytes / (subclusters ? 16 : 8));
  if (l1Entries * 8 > LARGEST_L1_BYTES || l1Entries * reach < logicalBytes || l1Offset % clusterBytes !== 0) {
    throw new ImageCorruptError("the L1 table does not fit the size of the disk", {
      context: { l1Entries, l1Offset, logicalBytes },
    });
  }
  return {
    version,
    clusterBits,
    // QEMU counts whole sectors.
    logicalBytes: logicalBytes - (logicalBytes % SECTOR_BYTES),
    l1Offset,
    l1Entries,
    compression: compressionOf(bytes, features, headerBytes),
    subclusters,
    name: backingName(bytes, headerBytes, clusterBytes),
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

/** The feature and the field must agree; headers of old tools end before the field. */
function compressionOf(bytes: Buffer, features: number, headerBytes: number): Qcow2Header["compression"] {
  const type = headerBytes > V3_HEADER_BYTES ? bytes.readUInt8(V3_HEADER_BYTES) : 0;
  if (type > 1) throw new ImageUnsupportedError(`compression type ${type} is not supported`);
  if (((features & INCOMPATIBLE.compressionType) !== 0) !== (type !== 0)) {
    throw new ImageCorruptError("the image contradicts itself about its compression", { context: { type } });
  }
  return type === 0 ? "deflate" : "zstd";
}

function backingName(bytes: Buffer, headerBytes: number, clusterBytes: number): BackingName | undefined {
  const offset = safeNumber(bytes.readBigUInt64BE(8), "place of the backing file's name");
  const length = bytes.readUInt32BE(16);
  if (offset === 0) return undefined;
  if (length > LONGEST_BACKING_NAME || offset + length > clusterBytes) {
    throw new ImageCorruptError("the name of the backing file lies outside the header", {
      context: { offset, length },
    });
  }
  return { extensions: headerBytes, offset, length };
}

function backingOf(bytes: Buffer, name: BackingName): BackingReference | undefined {
  const file = upToNul(bytes.subarray(name.offset, name.offset + name.length)).toString("utf8");
  return file === "" ? undefined : { file, format: backingFormat(bytes, name) };
}

/** Extensions end where the name of the backing file begins: old tools wrote no other end. */
function backingFormat(bytes: Buffer, { extensions, offset: end }: BackingName): string | undefined {
  let format = "";
  for (let at = extensions; at < end;) {
    const fits = at + 8 <= end && bytes.readUInt32BE(at + 4) <= end - at - 8;
    if (!fits) throw new ImageCorruptError("a header extension does not end within the header");
    const type = bytes.readUInt32BE(at);
    const length = bytes.readUInt32BE(at + 4);
    if (type === EXTENSION_END) break;
    if (type === EXTENSION_BACKING_FORMAT) {
      if (length > LONGEST_BACKING_FORMAT) throw new ImageCorruptError("the format of the backing file is too long");
      format = upToNul(bytes.subarray(at + 8, at + 8 + length)).toString("latin1");
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return format === "" ? undefined : format;
}

/** Old tools pad texts with NUL and count the padding. */
function upToNul(text: Buffer): Buffer {
  const end = text.indexOf(0);
  return end < 0 ? text : text.subarray(0, end);
}

function safeNumber(value: bigint, what: string): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new ImageCorruptError(`the ${what} is absurd: ${value}`);
}
