import { connect, type Socket } from "node:net";
import { once } from "node:events";

import { messageOf, unlessAborted } from "@ovault/contract";

import { NfsClientError } from "../errors.ts";
import { ACCEPT, RPC_VERSION } from "../rpc/call.ts";
import { RecordReader } from "../rpc/record-reader.ts";
import { XdrReader } from "../xdr/xdr-reader.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";

export interface RpcClientOptions {
  readonly host: string;
  readonly port: number;
  /** Whom the calls say they come from (AUTH_SYS). Default: no word about it (AUTH_NONE). */
  readonly caller?: RpcCaller | undefined;
  /** Ends the connection and each call. Default: never. */
  readonly signal?: AbortSignal;
}

export interface RpcCaller {
  readonly uid: number;
  readonly gid: number;
}

const LAST_FRAGMENT = 0x80000000;
const MOST_REPLY_BYTES = 4 * 1024 * 1024;
const [REPLY, ACCEPTED] = [1, 0];
const [AUTH_NONE, AUTH_SYS] = [0, 1];
const never = new AbortController().signal;

/** A connection to a server of ONC RPC. Sends calls as they are written, also wrong ones, and repeats them if asked. */
export class RpcClient implements AsyncDisposable {
  readonly socket: Socket;
  readonly #options: RpcClientOptions;
  readonly #records = new RecordReader(MOST_REPLY_BYTES);
  readonly #waiting = new Map<number, { resolve: (reply: XdrReader) => void; reject: (error: Error) => void }>();
  #xid = 1;

  /** @throws NfsClientError when nothing answers there; the signal's reason */
  static async connect(options: RpcClientOptions): Promise<RpcClient> {
    const { host, port, signal = never } = options;
    const socket = connect({ host, port, noDelay: true });
    try {
      await once(socket, "connect", { signal });
    } catch (cause) {
      socket.destroy();
      signal.throwIfAborted();
      throw new NfsClientError(`nothing answers at ${host}, port ${port}: ${messageOf(cause)}`, { cause });
    }
    return new RpcClient(socket, options);
  }

  private constructor(socket: Socket, options: RpcClientOptions) {
    this.socket = socket;
    this.#options = options;
    socket.on("error", () => {});
    socket.on("close", () => this.#fail(this.#failure("the server hung up")));
    socket.on("data", (piece) => this.#accept(piece));
  }

  /** Resolves to what follows `accept_stat` 0. @throws NfsClientError when the server hangs up, or refuses the call */
  async call(
    program: number,
    version: number,
    procedure: number,
    args = new XdrWriter(),
    xid = this.#xid++,
  ): Promise<XdrReader> {
    const { caller, signal = never } = this.#options;
    const reply = this.answer(xid);
    this.send(callRecord({ xid, program, version, procedure, args, caller }));
    const answered = await unlessAborted(reply, signal);
    if (answered.uint32() !== REPLY) throw this.#failure("the server sent what is no reply");
    if (answered.uint32() !== ACCEPTED) throw this.#failure("the server takes no calls of this user");
    answered.uint32();
    answered.opaque(MOST_REPLY_BYTES);
    const status = answered.uint32();
    if (status !== ACCEPT.success) throw this.#failure(`no call of program ${program} there: accept_stat ${status}`);
    return answered;
  }

  /** The next reply to this call. */
  answer(xid: number): Promise<XdrReader> {
    const { promise, resolve, reject } = Promise.withResolvers<XdrReader>();
    this.#waiting.set(xid, { resolve, reject });
    if (this.socket.destroyed) this.#fail(this.#failure("the server hung up"));
    return promise;
  }

  send(record: Uint8Array): void {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(record.length + LAST_FRAGMENT);
    this.socket.write(Buffer.concat([header, record]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    this.socket.destroy();
    await once(this.socket, "close");
  }

  #failure(what: string, cause?: unknown): NfsClientError {
    const { host, port } = this.#options;
    return new NfsClientError(`${host}, port ${port}: ${what}`, { cause });
  }

  #accept(piece: Uint8Array): void {
    try {
      for (const record of this.#records.accept(piece)) {
        const reply = new XdrReader(record);
        const xid = reply.uint32();
        this.#waiting.get(xid)?.resolve(reply);
        this.#waiting.delete(xid);
      }
    } catch (cause) {
      this.socket.destroy();
      this.#fail(this.#failure("the server sent what is no reply", cause));
    }
  }

  #fail(error: NfsClientError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

export interface WrittenCall {
  readonly xid: number;
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  readonly args: XdrWriter;
  readonly caller?: RpcCaller | undefined;
  /** Default: that of the caller. */
  readonly flavor?: number;
  readonly rpcVersion?: number;
}

export function callRecord(call: WrittenCall): Buffer {
  const { xid, program, version, procedure, args, caller, rpcVersion = RPC_VERSION } = call;
  const { flavor = caller === undefined ? AUTH_NONE : AUTH_SYS } = call;
  const head = new XdrWriter().uint32(xid).uint32(0).uint32(rpcVersion).uint32(program).uint32(version);
  head.uint32(procedure).uint32(flavor).opaque(credentialsOf(caller)).uint32(0).uint32(0).append(args);
  return Buffer.concat(head.parts());
}

/** `authsys_parms` of RFC 5531, appendix A: no machine name, no further groups. */
function credentialsOf(caller: RpcCaller | undefined): Uint8Array {
  if (caller === undefined) return Buffer.alloc(0);
  const written = new XdrWriter().uint32(0).text("").uint32(caller.uid).uint32(caller.gid).uint32(0);
  return Buffer.concat(written.parts());
}
