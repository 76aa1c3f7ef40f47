import { MOUNT_PROGRAM, mountProgram, type Mountable } from "./mount/mount-program.ts";
import type { NfsFileSystem } from "./nfs-file-system.ts";
import { FileHandles } from "./nfs3/file-handle.ts";
import { Listings } from "./nfs3/listings.ts";
import type { Nfs3Context } from "./nfs3/nfs3-context.ts";
import { NFS_PROGRAM, nfs3Program } from "./nfs3/nfs3-program.ts";
import { MOST_TRANSFER_BYTES } from "./nfs3/reading.ts";
import { WriteBack } from "./nfs3/write-back.ts";
import { portmapProgram } from "./portmap/portmap-program.ts";
import { RpcServer } from "./rpc/rpc-server.ts";

/** A file system and where clients find it. */
export interface NfsExport {
  readonly files: NfsFileSystem;
  /** Tells this file system from others; the same after a restart, or clients lose their files. */
  readonly fileSystemId: bigint;
  /** Path under which clients mount: `/exports/web01`. */
  readonly path: string;
}

export interface NfsServerOptions extends NfsExport {
  /** Further file systems, each with an id and a path of its own. */
  readonly others?: readonly NfsExport[];
  /** Addresses, or networks as `10.0.0.0/8`, that may connect: NFSv3 knows no other proof of who asks. */
  readonly allow: readonly string[];
  /** Default: all addresses of this machine. */
  readonly host?: string;
  /** Of NFS and MOUNT. Default 2049; 0: any free one. */
  readonly port?: number;
  /** Also answer on this port where the others listen: 111, for clients that are given no ports. */
  readonly portmapPort?: number;
  /**
   * Called for errors that clients are answered with `later`, which makes them try again, or with an I/O error, and for
   * faults of the server itself.
   */
  readonly onError?: (error: unknown) => void;
}

const DEFAULT_PORT = 2049;
/** A write, its header and credentials. */
const MOST_RECORD_BYTES = MOST_TRANSFER_BYTES + 4096;

/**
 * Serves file systems over NFSv3, with MOUNT on the same TCP port. All clients act as one user, who may do everything:
 * the list of addresses is what protects the files. Locks are the clients' own (`nolock`).
 */
export class NfsServer implements AsyncDisposable {
  readonly port: number;
  readonly #servers: readonly RpcServer[];

  /** @throws NfsServerError when it cannot listen there, or an allowed address is none */
  static async listen(options: NfsServerOptions): Promise<NfsServer> {
    const { others = [], host, allow, portmapPort, onError = () => {} } = options;
    const programs = [
      nfs3Program([contextOf(options, onError), ...others.map((other) => contextOf(other, onError))]),
      mountProgram(await Promise.all([options, ...others].map(mountable))),
    ] as const;
    const common = { host, allow, onError, mostRecordBytes: MOST_RECORD_BYTES };
    const server = await RpcServer.listen({ ...common, programs, port: options.port ?? DEFAULT_PORT });
    if (portmapPort === undefined) return new NfsServer([server]);
    const mapped = [NFS_PROGRAM, MOUNT_PROGRAM].map((program) => ({ program, version: 3, port: server.port }));
    try {
      const portmap = await RpcServer.listen({ ...common, programs: [portmapProgram(mapped)], port: portmapPort });
      return new NfsServer([server, portmap]);
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  private constructor(servers: readonly [RpcServer, ...RpcServer[]]) {
    this.port = servers[0].port;
    this.#servers = servers;
  }

  /** Hangs up on all clients, which try to come back, and resolves when no call is under way. Never rejects. */
  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function contextOf({ files, fileSystemId }: NfsExport, onError: (error: unknown) => void): Nfs3Context {
  const handles = new FileHandles(fileSystemId);
  return { files, handles, fileSystemId, onError, listings: new Listings(files), writeBack: new WriteBack(files) };
}

async function mountable({ files, fileSystemId, path }: NfsExport): Promise<Mountable> {
  return { path, rootHandle: new FileHandles(fileSystemId).encode(await files.root()) };
}
