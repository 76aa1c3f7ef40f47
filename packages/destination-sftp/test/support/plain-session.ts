import type { Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, unlink } from "node:fs/promises";
import { join } from "node:path";

import ssh2, { type Attributes, type FileEntry, type SFTPWrapper } from "ssh2";

import { systemErrorCode } from "@ovault/contract";

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;

/** Names in one answer. */
const NAMES = 100;

export interface SftpRequest {
  /** As in the protocol: `OPEN`, `READ`… */
  readonly type: string;
  readonly id: number;
  /** What it is about, also where the request has only a handle. */
  readonly path: string;
  /** For `READ`. */
  readonly offset: number;
  readonly length: number;
}

export interface SessionOptions {
  /** Answers a request in place of the server, when it returns true. */
  readonly answer?: (request: SftpRequest, session: SFTPWrapper) => boolean;
  /** Renaming takes the place of what has the name, as some servers have it; most refuse. */
  readonly renameReplaces?: boolean;
}

interface OpenFile {
  readonly path: string;
  readonly file?: FileHandle;
  readonly names: string[];
}

/** Serves SFTP version 3, and nothing that came later, over the real files of this machine. One request after the other. */
export function serveSftp(session: SFTPWrapper, { answer, renameReplaces = false }: SessionOptions): void {
  const files = new Map<number, OpenFile>();
  let handles = 0;
  let last: Promise<void> = Promise.resolve();

  const serve = (
    type: string,
    id: number,
    path: string,
    work: () => Promise<void>,
    { offset, length } = { offset: 0, length: 0 },
  ): void => {
    const careful = async (): Promise<void> => {
      try {
        if (answer?.({ type, id, path, offset, length }, session) !== true) await work();
      } catch (error) {
        session.status(id, statusOf(error));
      }
    };
    last = last.then(careful);
  };
  const fileOf = (handle: Buffer): OpenFile => files.get(handle.readUInt32BE()) ?? { path: "", names: [] };
  const opened = (id: number, file: OpenFile): void => {
    files.set(++handles, file);
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(handles);
    session.handle(id, handle);
  };
  const ok = (id: number): void => session.status(id, STATUS_CODE.OK);

  session.on("close", () => {
    for (const { file } of files.values()) void file?.close();
  });
  session.on("OPEN", (id, path, flags) =>
    serve("OPEN", id, path, async () => {
      const mode = (flags & OPEN_MODE.EXCL) === 0 ? "r" : "wx";
      opened(id, { path, file: await open(path, mode, 0o600), names: [] });
    }),
  );
  session.on("CLOSE", (id, handle) =>
    serve("CLOSE", id, fileOf(handle).path, async () => {
      await fileOf(handle).file?.close();
      files.delete(handle.readUInt32BE());
      ok(id);
    }),
  );
  session.on("READ", (id, handle, offset, length) => {
    const work = async (): Promise<void> => {
      const found = await fileOf(handle).file?.read(Buffer.alloc(length), 0, length, offset);
      if (found === undefined || found.bytesRead === 0) session.status(id, STATUS_CODE.EOF);
      else session.data(id, found.buffer.subarray(0, found.bytesRead));
    };
    serve("READ", id, fileOf(handle).path, work, { offset, length });
  });
  session.on("WRITE", (id, handle, offset, bytes) => {
    // The bytes are those of a packet that is used again.
    const copy = Buffer.from(bytes);
    serve("WRITE", id, fileOf(handle).path, async () => {
      await fileOf(handle).file?.write(copy, 0, copy.length, offset);
      ok(id);
    });
  });
  session.on("FSTAT", (id, handle) =>
    serve("FSTAT", id, fileOf(handle).path, async () => {
      const found = await fileOf(handle).file?.stat();
      if (found === undefined) session.status(id, STATUS_CODE.FAILURE);
      else session.attrs(id, attributesOf(found));
    }),
  );
  session.on("LSTAT", (id, path) =>
    serve("LSTAT", id, path, async () => session.attrs(id, attributesOf(await lstat(path)))),
  );
  session.on("OPENDIR", (id, path) =>
    serve("OPENDIR", id, path, async () => opened(id, { path, names: [".", "..", ...(await readdir(path))] })),
  );
  session.on("READDIR", (id, handle) =>
    serve("READDIR", id, fileOf(handle).path, async () => {
      const { path, names } = fileOf(handle);
      const some = names.splice(0, NAMES);
      if (some.length === 0) session.status(id, STATUS_CODE.EOF);
      else session.name(id, await Promise.all(some.map((name) => entryOf(path, name))));
    }),
  );
  session.on("REMOVE", (id, path) => serve("REMOVE", id, path, async () => unlink(path).then(() => ok(id))));
  session.on("MKDIR", (id, path) =>
    serve("MKDIR", id, path, async () => mkdir(path, { mode: 0o700 }).then(() => ok(id))),
  );
  session.on("RENAME", (id, from, to) =>
    serve("RENAME", id, to, async () => {
      const taken = await lstat(to).catch(() => undefined);
      if (taken !== undefined && !renameReplaces) return session.status(id, STATUS_CODE.FAILURE);
      await rename(from, to);
      ok(id);
    }),
  );
  session.on("REALPATH", (id, path) =>
    serve("REALPATH", id, path, async () => session.name(id, [fileEntry(await realpath(path))])),
  );
}

/** Attributes that are missing are not sent, though the types of ssh2 want all. */
export function fileEntry(filename: string, attrs: Partial<Attributes> = attributes()): FileEntry {
  return { filename, longname: "", attrs: attrs as Attributes };
}

export function attributes(changes: Partial<Attributes> = {}): Attributes {
  return { mode: 0o100600, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0, ...changes };
}

async function entryOf(directory: string, name: string): Promise<FileEntry> {
  return fileEntry(name, attributesOf(await lstat(join(directory, name))));
}

function attributesOf({ mode, uid, gid, size, atimeMs, mtimeMs }: Stats): Attributes {
  return { mode, uid, gid, size, atime: Math.floor(atimeMs / 1000), mtime: Math.floor(mtimeMs / 1000) };
}

function statusOf(error: unknown): number {
  switch (systemErrorCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return STATUS_CODE.NO_SUCH_FILE;
    case "EACCES":
      return STATUS_CODE.PERMISSION_DENIED;
    default:
      return STATUS_CODE.FAILURE;
  }
}
