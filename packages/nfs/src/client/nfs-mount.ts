import { NfsClientError } from "../errors.ts";
import { MOUNT_PROGRAM, MOUNT_VERSION } from "../mount/mount-program.ts";
import { NFS_PROGRAM, NFS_VERSION } from "../nfs3/nfs3-program.ts";
import { OK, statusOfNumber } from "../nfs3/status.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";
import type { NfsPorts } from "./find-nfs-ports.ts";
import { RpcClient, type RpcCaller } from "./rpc-client.ts";

export interface NfsMountOptions {
  readonly host: string;
  readonly ports: NfsPorts;
  /** Of the export. */
  readonly path: string;
  /** Whom the server is told the calls come from. */
  readonly caller: RpcCaller;
  readonly signal: AbortSignal;
}

const MNT = 1;
const [LOOKUP, READ, WRITE, CREATE, REMOVE] = [3, 6, 7, 8, 12];
const GUARDED = 1;
const FILE_SYNC = 2;
const MOST_HANDLE_BYTES = 64;
const ATTRIBUTES_BYTES = 84;
const MOST_BYTES = 64 * 1024;

/** The root directory of an export, for small files directly in it: what a client can do there, tried. */
export class NfsMount implements AsyncDisposable {
  readonly #rpc: RpcClient;
  readonly #root: Uint8Array;

  /** @throws NfsClientError when nothing answers, or the server refuses the mount */
  static async open({ host, ports, path, caller, signal }: NfsMountOptions): Promise<NfsMount> {
    const root = await rootOf({ host, port: ports.mount, caller, signal }, path);
    return new NfsMount(await RpcClient.connect({ host, port: ports.nfs, caller, signal }), root);
  }

  private constructor(rpc: RpcClient, root: Uint8Array) {
    this.#rpc = rpc;
    this.#root = root;
  }

  /** Makes a file, with at most 64 KiB, durably. @throws NfsClientError also when the name is taken */
  async write(name: string, bytes: Uint8Array, mode: number): Promise<void> {
    const creation = this.#named(name).uint32(GUARDED).bool(true).uint32(mode);
    // Neither owner, nor size, nor times.
    for (let field = 0; field < 5; field++) creation.uint32(0);
    const made = await this.#call(CREATE, creation, `create ${name}`);
    const handle = made.optional(() => made.opaque(MOST_HANDLE_BYTES)) ?? (await this.#lookup(name));
    const writing = new XdrWriter().opaque(handle).uint64(0n).uint32(bytes.length).uint32(FILE_SYNC).opaque(bytes);
    await this.#call(WRITE, writing, `write ${name}`);
  }

  /** Reads a file of at most 64 KiB. */
  async read(name: string): Promise<Buffer> {
    const args = new XdrWriter()
      .opaque(await this.#lookup(name))
      .uint64(0n)
      .uint32(MOST_BYTES);
    const results = await this.#call(READ, args, `read ${name}`);
    results.optional(() => results.fixed(ATTRIBUTES_BYTES));
    results.uint32();
    results.bool();
    return results.opaque(MOST_BYTES);
  }

  async remove(name: string): Promise<void> {
    await this.#call(REMOVE, this.#named(name), `remove ${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rpc[Symbol.asyncDispose]();
  }

  async #lookup(name: string): Promise<Uint8Array> {
    return (await this.#call(LOOKUP, this.#named(name), `find ${name}`)).opaque(MOST_HANDLE_BYTES);
  }

  #named(name: string): XdrWriter {
    return new XdrWriter().opaque(this.#root).text(name);
  }

  /** What follows the status. */
  async #call(procedure: number, args: XdrWriter, what: string): Promise<XdrReader> {
    const results = await this.#rpc.call(NFS_PROGRAM, NFS_VERSION, procedure, args);
    const status = results.uint32();
    if (status === OK) return results;
    throw new NfsClientError(`the server does not let its client ${what}: ${statusText(status)}`);
  }
}

async function rootOf(server: Parameters<typeof RpcClient.connect>[0], path: string): Promise<Uint8Array> {
  await using rpc = await RpcClient.connect(server);
  const results = await rpc.call(MOUNT_PROGRAM, MOUNT_VERSION, MNT, new XdrWriter().text(path));
  // The numbers of `mountstat3` are those of `nfsstat3`.
  const status = results.uint32();
  if (status === OK) return Buffer.from(results.opaque(MOST_HANDLE_BYTES));
  throw new NfsClientError(`${server.host} does not let this machine mount ${path}: ${statusText(status)}`);
}

/** For people: `read only`. */
function statusText(status: number): string {
  return (statusOfNumber(status) ?? `status ${status}`).replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
