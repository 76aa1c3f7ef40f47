export { findNfsPorts, type NfsPorts } from "./client/find-nfs-ports.ts";
export { NfsMount, type NfsMountOptions } from "./client/nfs-mount.ts";
export type { RpcCaller } from "./client/rpc-client.ts";
export { NfsClientError, NfsProtocolError, NfsServerError } from "./errors.ts";
export { LocalFileSystem, type LocalFileSystemOptions } from "./local/local-file-system.ts";
export type {
  AttributeChange,
  CreateOptions,
  DirectoryEntry,
  FileAttributes,
  FileId,
  FileSystemSpace,
  FileTime,
  NfsFileSystem,
} from "./nfs-file-system.ts";
export { NfsServer, type NfsExport, type NfsServerOptions } from "./nfs-server.ts";
export { NfsStatusError, type NfsStatus } from "./nfs3/status.ts";
