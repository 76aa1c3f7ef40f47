import type { FileId } from "../nfs-file-system.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import { writeAttributes } from "./attributes.ts";
import { writeKnown, writePresent, type Nfs3Context } from "./nfs3-context.ts";
import { readName, type Nfs3Procedure } from "./procedure.ts";
import { NfsStatusError } from "./status.ts";

/** Largest read and write. */
export const MOST_TRANSFER_BYTES = 1024 * 1024;
/** Largest offset that Node's files take. */
export const MOST_OFFSET = BigInt(Number.MAX_SAFE_INTEGER);
const DIRECTORY_BYTES = 64 * 1024;
const EXECUTE = 0x20;
const NOT_EXECUTE = 0x1f;
const EXECUTABLE = 0o111;
/** Hard and symbolic links, one `pathconf` for all files, times can be set. */
const PROPERTIES = 0x1b;
const MOST_LINKS = 32_000;
const MOST_NAME_BYTES = 255;

interface OnFile {
  readonly id: FileId;
}

/** The common part of procedures that look at one file. */
const onFile = {
  read: (args: XdrReader, { handles }: Nfs3Context): OnFile => ({ id: handles.read(args) }),
  failed: (call: OnFile | undefined, results, context) => writePresent(context, results, call?.id),
} satisfies Partial<Nfs3Procedure<OnFile>>;

export const getAttributes: Nfs3Procedure<OnFile> = {
  read: onFile.read,
  async carryOut({ id }, results, { files, fileSystemId }) {
    writeAttributes(results, await files.attributes(id), fileSystemId);
  },
};

export const lookup: Nfs3Procedure<OnFile & { readonly name: string }> = {
  read: (args, { handles }) => ({ id: handles.read(args), name: readName(args) }),
  async carryOut({ id, name }, results, context) {
    const { files, handles } = context;
    const found =
      name === "." || name === ".."
        ? await files.attributes(name === "." ? id : await files.parent(id))
        : await files.lookup(id, name);
    handles.write(results, found.id);
    writeKnown(context, results, found);
    await writePresent(context, results, id);
  },
  failed: onFile.failed,
};

/** Clients are let in by their address, and all of them may do everything that the bits of a file allow. */
export const access: Nfs3Procedure<OnFile & { readonly asked: number }> = {
  read: (args, { handles }) => ({ id: handles.read(args), asked: args.uint32() }),
  async carryOut({ id, asked }, results, context) {
    const attributes = await context.files.attributes(id);
    const executes = attributes.type === "directory" || (attributes.mode & EXECUTABLE) !== 0;
    writeKnown(context, results, attributes);
    results.uint32(asked & (NOT_EXECUTE | (executes ? EXECUTE : 0)));
  },
  failed: onFile.failed,
};

export const readLink: Nfs3Procedure<OnFile> = {
  ...onFile,
  async carryOut({ id }, results, context) {
    const target = await context.files.readLink(id);
    await writePresent(context, results, id);
    results.text(target);
  },
};

export const read: Nfs3Procedure<OnFile & { readonly offset: bigint; readonly length: number }> = {
  read: (args, { handles }) => ({ id: handles.read(args), offset: args.uint64(), length: args.uint32() }),
  async carryOut({ id, offset, length }, results, context) {
    const attributes = await context.files.attributes(id);
    if (attributes.type !== "file")
      throw new NfsStatusError(attributes.type === "directory" ? "isDirectory" : "invalid");
    const left = attributes.bytes > offset ? attributes.bytes - offset : 0n;
    const wanted = Math.min(length, MOST_TRANSFER_BYTES);
    const target = Buffer.allocUnsafe(left < wanted ? Number(left) : wanted);
    const filled = target.length === 0 ? 0 : await context.files.read(id, Number(offset), target);
    writeKnown(context, results, attributes);
    results
      .uint32(filled)
      .bool(left <= filled)
      .lent(target.subarray(0, filled));
  },
  failed: onFile.failed,
};

export const fileSystemSpace: Nfs3Procedure<OnFile> = {
  ...onFile,
  async carryOut({ id }, results, context) {
    const { totalBytes, freeBytes, totalFiles, freeFiles } = await context.files.space();
    await writePresent(context, results, id);
    // Free for anyone, and free for this client.
    results.uint64(totalBytes).uint64(freeBytes).uint64(freeBytes);
    results.uint64(totalFiles).uint64(freeFiles).uint64(freeFiles);
    // May change at any time.
    results.uint32(0);
  },
};

export const fileSystemInfo: Nfs3Procedure<OnFile> = {
  ...onFile,
  async carryOut({ id }, results, context) {
    await writePresent(context, results, id);
    // Largest, preferred and smallest multiple: first of reads, then of writes.
    for (let direction = 0; direction < 2; direction++) {
      results.uint32(MOST_TRANSFER_BYTES).uint32(MOST_TRANSFER_BYTES).uint32(4096);
    }
    results.uint32(DIRECTORY_BYTES).uint64(MOST_OFFSET);
    // Node sets times exactly to the microsecond.
    results.uint32(0).uint32(1000).uint32(PROPERTIES);
  },
};

export const pathLimits: Nfs3Procedure<OnFile> = {
  ...onFile,
  async carryOut({ id }, results, context) {
    await writePresent(context, results, id);
    // Long names are refused, owners cannot be given away by others, case counts and is kept.
    results.uint32(MOST_LINKS).uint32(MOST_NAME_BYTES).bool(true).bool(true).bool(false).bool(true);
  },
};
