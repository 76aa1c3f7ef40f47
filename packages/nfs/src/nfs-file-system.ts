/** Identity of a file, directory or link. */
export interface FileId {
  /** Unique in the file system, and the same after a restart. */
  readonly number: bigint;
  /** Tells a file from a later one that was given the same number; 0 where that cannot happen. */
  readonly generation: bigint;
}

/** Seconds and nanoseconds since 1970. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface FileAttributes {
  readonly id: FileId;
  readonly type: "file" | "directory" | "link";
  /** Permission bits. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly bytes: bigint;
  /** Space it takes: less than `bytes` for a sparse file. */
  readonly usedBytes: bigint;
  readonly accessedAt: FileTime;
  readonly modifiedAt: FileTime;
  readonly changedAt: FileTime;
}

/** What a client wants to be different; what is missing stays. */
export interface AttributeChange {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly bytes?: bigint;
  readonly accessedAt?: FileTime | "now";
  readonly modifiedAt?: FileTime | "now";
}

export interface CreateOptions {
  readonly change: AttributeChange;
  /** Fail with EEXIST when there is such a name. */
  readonly isNew: boolean;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly id: FileId;
}

export interface FileSystemSpace {
  readonly totalBytes: bigint;
  readonly freeBytes: bigint;
  readonly totalFiles: bigint;
  readonly freeFiles: bigint;
}

/**
 * Files as an NFS server shows them. Names hold no slash, no NUL, and are never `.` or `..`.
 *
 * Methods throw `NfsStatusError`, or an error of the system with a `code` such as ENOENT. A client repeats a call that
 * failed in any other way until it succeeds, so that a store that is gone for a while stalls a guest instead of failing
 * its reads. An error that must reach the reader at once is `new NfsStatusError("io")`.
 */
export interface NfsFileSystem {
  root(): Promise<FileId>;
  /** @throws NfsStatusError `stale` when the file is gone */
  attributes(id: FileId): Promise<FileAttributes>;
  change(id: FileId, change: AttributeChange): Promise<void>;
  lookup(directory: FileId, name: string): Promise<FileAttributes>;
  readLink(id: FileId): Promise<string>;
  /** Fills `target` from `offset` on, and resolves to the number of bytes: fewer at the end of the file. */
  read(id: FileId, offset: number, target: Uint8Array): Promise<number>;
  /** Need not be durable when it resolves. */
  write(id: FileId, offset: number, bytes: Uint8Array): Promise<void>;
  /** Makes all writes that resolved before the call durable. When it fails, the server has clients write again. */
  sync(id: FileId): Promise<void>;
  /** The name is durable when it resolves, as for all that follow. A file that is there is changed, or is EEXIST. */
  create(directory: FileId, name: string, options: CreateOptions): Promise<FileId>;
  /** Fails with EEXIST, unless the file was made by a call with the same verifier (8 bytes). */
  createExclusively(directory: FileId, name: string, verifier: Uint8Array): Promise<FileId>;
  makeDirectory(directory: FileId, name: string, change: AttributeChange): Promise<FileId>;
  makeLink(directory: FileId, name: string, target: string): Promise<FileId>;
  link(id: FileId, directory: FileId, name: string): Promise<void>;
  remove(directory: FileId, name: string): Promise<void>;
  removeDirectory(directory: FileId, name: string): Promise<void>;
  rename(from: FileId, name: string, to: FileId, newName: string): Promise<void>;
  /** Without `.` and `..`. */
  list(directory: FileId): Promise<readonly DirectoryEntry[]>;
  /** The directory above; of the root, the root. */
  parent(directory: FileId): Promise<FileId>;
  space(): Promise<FileSystemSpace>;
}
