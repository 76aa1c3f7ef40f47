import type { FileTime } from "@ovault/nfs";
import { XdrWriter } from "@ovault/nfs/internal/xdr/xdr-writer";
import type { XdrReader } from "@ovault/nfs/internal/xdr/xdr-reader";
import { RpcClient } from "@ovault/nfs/internal/client/rpc-client";

const NFS = 100_003;
const MOUNT = 100_005;

/** A handle, as the server gave it. */
export type Handle = Uint8Array;

/** What follows the status of a reply. */
export interface Reply {
  readonly status: number;
  readonly results: XdrReader;
}

/** The calls of NFSv3 that tests need, with every choice in the caller's hands. */
export class NfsClient implements AsyncDisposable {
  readonly rpc: RpcClient;

  static async connect(port: number): Promise<NfsClient> {
    return new NfsClient(await RpcClient.connect({ host: "127.0.0.1", port }));
  }

  private constructor(rpc: RpcClient) {
    this.rpc = rpc;
  }

  async mount(path: string): Promise<Handle | number> {
    const reply = await this.rpc.call(MOUNT, 3, 1, new XdrWriter().text(path));
    const status = reply.uint32();
    return status === 0 ? reply.opaque(64) : status;
  }

  async call(procedure: number, args: XdrWriter, xid?: number): Promise<Reply> {
    const results = await this.rpc.call(NFS, 3, procedure, args, xid);
    return { status: results.uint32(), results };
  }

  async lookup(directory: Handle, name: string): Promise<Handle | number> {
    const { status, results } = await this.call(3, new XdrWriter().opaque(directory).text(name));
    return status === 0 ? results.opaque(64) : status;
  }

  async status(handle: Handle): Promise<number> {
    return (await this.call(1, new XdrWriter().opaque(handle))).status;
  }

  async size(handle: Handle): Promise<bigint> {
    const { results } = await this.call(1, new XdrWriter().opaque(handle));
    results.fixed(20);
    return results.uint64();
  }

  /** Exclusive, with a verifier of eight bytes. */
  async createExclusively(directory: Handle, name: string, verifier: Uint8Array): Promise<Handle | number> {
    const args = new XdrWriter().opaque(directory).text(name).uint32(2).fixed(verifier);
    return madeOf(await this.call(8, args));
  }

  /** Guarded, without any attribute. */
  async create(directory: Handle, name: string, xid?: number): Promise<Handle | number> {
    return madeOf(await this.call(8, createArgs(directory, name), xid));
  }

  /** Takes a file that is there. */
  async createUnchecked(directory: Handle, name: string, change: Change): Promise<Handle | number> {
    return madeOf(await this.call(8, changeArgs(new XdrWriter().opaque(directory).text(name).uint32(0), change)));
  }

  /** @param guard the file must have changed last at this time */
  async truncate(handle: Handle, bytes: bigint, guard?: FileTime): Promise<number> {
    const args = changeArgs(new XdrWriter().opaque(handle), { bytes });
    args.optional(guard, ({ seconds, nanoseconds }) => args.uint32(seconds).uint32(nanoseconds));
    return (await this.call(2, args)).status;
  }

  async link(handle: Handle, directory: Handle, name: string): Promise<number> {
    return (await this.call(15, new XdrWriter().opaque(handle).opaque(directory).text(name))).status;
  }

  async readLink(handle: Handle): Promise<string | number> {
    const { status, results } = await this.call(5, new XdrWriter().opaque(handle));
    if (status !== 0) return status;
    skipPresent(results);
    return results.opaque(4096).toString();
  }

  async makeDirectory(directory: Handle, name: string): Promise<Handle | number> {
    return madeOf(await this.call(9, noChange(new XdrWriter().opaque(directory).text(name))));
  }

  async remove(directory: Handle, name: string, xid?: number): Promise<number> {
    return (await this.call(12, new XdrWriter().opaque(directory).text(name), xid)).status;
  }

  async removeDirectory(directory: Handle, name: string): Promise<number> {
    return (await this.call(13, new XdrWriter().opaque(directory).text(name))).status;
  }

  async rename(from: Handle, name: string, to: Handle, newName: string): Promise<number> {
    const args = new XdrWriter().opaque(from).text(name).opaque(to).text(newName);
    return (await this.call(14, args)).status;
  }

  async makeLink(directory: Handle, name: string, target: string): Promise<Handle | number> {
    const args = noChange(new XdrWriter().opaque(directory).text(name)).text(target);
    return madeOf(await this.call(10, args));
  }

  /** The verifier of the write, or the status of its failure. */
  async write(handle: Handle, offset: bigint, bytes: Uint8Array, stable = 0): Promise<Buffer | number> {
    const args = new XdrWriter().opaque(handle).uint64(offset).uint32(bytes.length).uint32(stable).opaque(bytes);
    const { status, results } = await this.call(7, args);
    if (status !== 0) return status;
    skipChanged(results);
    results.fixed(8);
    return results.fixed(8);
  }

  async commit(handle: Handle): Promise<Buffer | number> {
    const { status, results } = await this.call(21, new XdrWriter().opaque(handle).uint64(0n).uint32(0));
    if (status !== 0) return status;
    skipChanged(results);
    return results.fixed(8);
  }

  async read(handle: Handle, offset: bigint, length: number): Promise<Buffer | number> {
    const { status, results } = await this.call(6, new XdrWriter().opaque(handle).uint64(offset).uint32(length));
    if (status !== 0) return status;
    skipPresent(results);
    results.fixed(8);
    return results.opaque(2 ** 21);
  }

  /** One page of names, and the cookie to go on with; undefined at the end. */
  async list(
    directory: Handle,
    cookie: bigint,
    mostBytes: number,
  ): Promise<{ names: string[]; next: bigint | undefined }> {
    const args = new XdrWriter().opaque(directory).uint64(cookie).fixed(Buffer.alloc(8)).uint32(mostBytes);
    const { status, results } = await this.call(16, args);
    if (status !== 0) throw new Error(`status ${status}`);
    skipPresent(results);
    results.fixed(8);
    const names: string[] = [];
    let last = cookie;
    while (results.bool()) {
      results.uint64();
      names.push(results.opaque(255).toString());
      last = results.uint64();
    }
    return { names, next: results.bool() ? undefined : last };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rpc[Symbol.asyncDispose]();
  }
}

export function createArgs(directory: Handle, name: string): XdrWriter {
  return noChange(new XdrWriter().opaque(directory).text(name).uint32(1));
}

/** `sattr3`; what is missing stays. */
interface Change {
  readonly mode?: number;
  readonly bytes?: bigint;
}

function changeArgs(args: XdrWriter, { mode, bytes }: Change): XdrWriter {
  args
    .optional(mode, (known) => args.uint32(known))
    .uint32(0)
    .uint32(0);
  return args
    .optional(bytes, (known) => args.uint64(known))
    .uint32(0)
    .uint32(0);
}

function noChange(args: XdrWriter): XdrWriter {
  return changeArgs(args, {});
}

function madeOf({ status, results }: Reply): Handle | number {
  if (status !== 0) return status;
  results.bool();
  return results.opaque(64);
}

function skipPresent(results: XdrReader): void {
  if (results.bool()) results.fixed(84);
}

function skipChanged(results: XdrReader): void {
  results.bool();
  skipPresent(results);
}
