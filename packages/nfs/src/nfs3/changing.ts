import type { AttributeChange, FileId, FileTime } from "../nfs-file-system.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";
import { readChange, readTime } from "./attributes.ts";
import { writeChanged, writePresent, type Nfs3Context } from "./nfs3-context.ts";
import { readNewName, readPath, type Nfs3Procedure } from "./procedure.ts";
import { MOST_OFFSET, MOST_TRANSFER_BYTES } from "./reading.ts";
import { NfsStatusError } from "./status.ts";

/** `stable_how`: 0 need not be durable yet, 1 data, 2 data and attributes. */
const UNSTABLE = 0;
const FILE_SYNC = 2;
/** `createmode3` */
const [UNCHECKED, GUARDED, EXCLUSIVE] = [0, 1, 2];
const VERIFIER_BYTES = 8;

interface InDirectory {
  readonly directory: FileId;
  readonly name: string;
}

function readPlace(args: XdrReader, { handles }: Nfs3Context): InDirectory {
  return { directory: handles.read(args), name: readNewName(args) };
}

function directoryChanged(call: InDirectory | undefined, results: XdrWriter, context: Nfs3Context): Promise<void> {
  return writeChanged(context, results, call?.directory);
}

/** What follows the status when something was made: its handle, its attributes, the directory. */
async function writeMade(
  { id, directory }: { readonly id: FileId; readonly directory: FileId },
  results: XdrWriter,
  context: Nfs3Context,
): Promise<void> {
  context.handles.write(results.bool(true), id);
  await writePresent(context, results, id);
  await writeChanged(context, results, directory);
}

interface Changing {
  readonly id: FileId;
  readonly change: AttributeChange;
  /** Change only what was last changed at this time. */
  readonly guard: FileTime | undefined;
}

export const setAttributes: Nfs3Procedure<Changing> = {
  read: (args, { handles }) => ({
    id: handles.read(args),
    change: readChange(args),
    guard: args.optional(() => readTime(args)),
  }),
  async carryOut({ id, change, guard }, results, context) {
    if (guard !== undefined) {
      const { changedAt } = await context.files.attributes(id);
      const isSame = changedAt.seconds === guard.seconds && changedAt.nanoseconds === guard.nanoseconds;
      if (!isSame) throw new NfsStatusError("notSynchronized");
    }
    if (change.bytes !== undefined && change.bytes > MOST_OFFSET) throw new NfsStatusError("tooBig");
    await context.files.change(id, change);
    await writeChanged(context, results, id);
  },
  failed: (call, results, context) => writeChanged(context, results, call?.id),
};

interface Writing {
  readonly id: FileId;
  readonly offset: bigint;
  readonly stable: number;
  readonly bytes: Uint8Array;
}

export const write: Nfs3Procedure<Writing> = {
  read(args, { handles }) {
    const id = handles.read(args);
    const [offset, count, stable] = [args.uint64(), args.uint32(), args.uint32()];
    return { id, offset, stable, bytes: args.opaque(MOST_TRANSFER_BYTES).subarray(0, count) };
  },
  async carryOut({ id, offset, stable, bytes }, results, context) {
    const { verifier } = context.writeBack;
    if (offset + BigInt(bytes.length) > MOST_OFFSET) throw new NfsStatusError("tooBig");
    if (bytes.length > 0) await context.files.write(id, Number(offset), bytes);
    if (stable !== UNSTABLE) await context.writeBack.sync(id);
    await writeChanged(context, results, id);
    results
      .uint32(bytes.length)
      .uint32(stable === UNSTABLE ? UNSTABLE : FILE_SYNC)
      .fixed(verifier);
  },
  failed: (call, results, context) => writeChanged(context, results, call?.id),
};

/** Syncs the whole file, whatever range is asked for. */
export const commit: Nfs3Procedure<{ readonly id: FileId }> = {
  read(args, { handles }) {
    const id = handles.read(args);
    args.uint64();
    args.uint32();
    return { id };
  },
  async carryOut({ id }, results, context) {
    // Before the sync: when a sync of another call fails meanwhile, this answer must not name the new verifier.
    const { verifier } = context.writeBack;
    await context.writeBack.sync(id);
    await writeChanged(context, results, id);
    results.fixed(verifier);
  },
  failed: (call, results, context) => writeChanged(context, results, call?.id),
};

interface Creating extends InDirectory {
  readonly isNew: boolean;
  readonly change: AttributeChange;
  readonly verifier: Uint8Array | undefined;
}

export const create: Nfs3Procedure<Creating> = {
  read(args, context) {
    const place = readPlace(args, context);
    const how = args.uint32();
    if (how === EXCLUSIVE) return { ...place, isNew: true, change: {}, verifier: args.fixed(VERIFIER_BYTES) };
    if (how !== UNCHECKED && how !== GUARDED) throw new NfsStatusError("invalid");
    return { ...place, isNew: how === GUARDED, change: readChange(args), verifier: undefined };
  },
  async carryOut({ directory, name, isNew, change, verifier }, results, context) {
    const id =
      verifier === undefined
        ? await context.files.create(directory, name, { change, isNew })
        : await context.files.createExclusively(directory, name, verifier);
    await writeMade({ id, directory }, results, context);
  },
  failed: directoryChanged,
};

export const makeDirectory: Nfs3Procedure<InDirectory & { readonly change: AttributeChange }> = {
  read: (args, context) => ({ ...readPlace(args, context), change: readChange(args) }),
  async carryOut({ directory, name, change }, results, context) {
    const id = await context.files.makeDirectory(directory, name, change);
    await writeMade({ id, directory }, results, context);
  },
  failed: directoryChanged,
};

export const makeLink: Nfs3Procedure<InDirectory & { readonly target: string }> = {
  read(args, context) {
    const place = readPlace(args, context);
    // Links have no attributes of their own.
    readChange(args);
    return { ...place, target: readPath(args) };
  },
  async carryOut({ directory, name, target }, results, context) {
    const id = await context.files.makeLink(directory, name, target);
    await writeMade({ id, directory }, results, context);
  },
  failed: directoryChanged,
};

/** Devices, sockets and pipes are not served. */
export const makeNode: Nfs3Procedure<InDirectory> = {
  read: readPlace,
  carryOut: () => Promise.reject(new NfsStatusError("notSupported")),
  failed: directoryChanged,
};

export const remove: Nfs3Procedure<InDirectory> = {
  read: readPlace,
  async carryOut({ directory, name }, results, context) {
    await context.files.remove(directory, name);
    await writeChanged(context, results, directory);
  },
  failed: directoryChanged,
};

export const removeDirectory: Nfs3Procedure<InDirectory> = {
  read: readPlace,
  async carryOut({ directory, name }, results, context) {
    await context.files.removeDirectory(directory, name);
    await writeChanged(context, results, directory);
  },
  failed: directoryChanged,
};

export const rename: Nfs3Procedure<{ readonly from: InDirectory; readonly to: InDirectory }> = {
  read: (args, context) => ({ from: readPlace(args, context), to: readPlace(args, context) }),
  async carryOut({ from, to }, results, context) {
    await context.files.rename(from.directory, from.name, to.directory, to.name);
    await writeChanged(context, results, from.directory);
    await writeChanged(context, results, to.directory);
  },
  async failed(call, results, context) {
    await writeChanged(context, results, call?.from.directory);
    await writeChanged(context, results, call?.to.directory);
  },
};

export const link: Nfs3Procedure<InDirectory & { readonly id: FileId }> = {
  read: (args, context) => ({ id: context.handles.read(args), ...readPlace(args, context) }),
  async carryOut({ id, directory, name }, results, context) {
    await context.files.link(id, directory, name);
    await writePresent(context, results, id);
    await writeChanged(context, results, directory);
  },
  async failed(call, results, context) {
    await writePresent(context, results, call?.id);
    await writeChanged(context, results, call?.directory);
  },
};
