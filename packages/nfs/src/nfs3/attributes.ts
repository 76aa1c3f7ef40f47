import type { AttributeChange, FileAttributes, FileTime } from "../nfs-file-system.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";

const TYPES = { file: 1, directory: 2, link: 5 } as const;
/** `time_how`. */
const SERVER_TIME = 1;
const CLIENT_TIME = 2;

/** `fattr3` */
export function writeAttributes(results: XdrWriter, of: FileAttributes, fileSystemId: bigint): void {
  results.uint32(TYPES[of.type]).uint32(of.mode).uint32(of.links).uint32(of.uid).uint32(of.gid);
  results.uint64(of.bytes).uint64(of.usedBytes);
  // No device.
  results.uint32(0).uint32(0).uint64(fileSystemId).uint64(of.id.number);
  for (const time of [of.accessedAt, of.modifiedAt, of.changedAt]) writeTime(results, time);
}

/** `sattr3` */
export function readChange(args: XdrReader): AttributeChange {
  const mode = args.optional(() => args.uint32() & 0o7777);
  const uid = args.optional(() => args.uint32());
  const gid = args.optional(() => args.uint32());
  const bytes = args.optional(() => args.uint64());
  const accessedAt = readNewTime(args);
  const modifiedAt = readNewTime(args);
  return {
    ...(mode !== undefined && { mode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(bytes !== undefined && { bytes }),
    ...(accessedAt !== undefined && { accessedAt }),
    ...(modifiedAt !== undefined && { modifiedAt }),
  };
}

export function readTime(args: XdrReader): FileTime {
  return { seconds: args.uint32(), nanoseconds: args.uint32() };
}

function readNewTime(args: XdrReader): FileTime | "now" | undefined {
  const how = args.uint32();
  if (how === CLIENT_TIME) return readTime(args);
  return how === SERVER_TIME ? "now" : undefined;
}

function writeTime(results: XdrWriter, { seconds, nanoseconds }: FileTime): void {
  results.uint32(seconds).uint32(nanoseconds);
}
