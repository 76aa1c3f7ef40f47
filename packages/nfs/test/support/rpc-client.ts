import { connect, type Socket } from "node:net";
import { once } from "node:events";

import { RecordReader } from "../../src/rpc/record-reader.ts";
import { XdrReader } from "../../src/xdr/xdr-reader.ts";
import { XdrWriter } from "../../src/xdr/xdr-writer.ts";

const LAST_FRAGMENT = 0x80000000;
const MOST_REPLY_BYTES = 4 * 1024 * 1024;

/** Sends calls of ONC RPC as they are written, also wrong ones, and repeats them as clients do. */
export class RpcClient implements AsyncDisposable {
  readonly socket: Socket;
  readonly #records = new RecordReader(MOST_REPLY_BYTES);
  readonly #waiting = new Map<number, { resolve: (reply: XdrReader) => void; reject: (error: Error) => void }>();
  #xid = 1;

  static async connect(port: number): Promise<RpcClient> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    return new RpcClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the server hung up"));
    });
    socket.on("data", (piece) => {
      for (const record of this.#records.accept(piece)) {
        const reply = new XdrReader(record);
        const xid = reply.uint32();
        this.#waiting.get(xid)?.resolve(reply);
        this.#waiting.delete(xid);
      }
    });
  }

  /** Resolves to what follows `accept_stat` 0. @throws when the server accepts the call in no other way */
  async call(program: number, version: number, procedure: number, args = new XdrWriter(), xid = this.#xid++) {
    const reply = this.answer(xid);
    this.send(callRecord({ xid, program, version, procedure, args }));
    const answered = await reply;
    if (answered.uint32() !== 1) throw new Error("no reply");
    if (answered.uint32() !== 0) throw new Error("denied");
    answered.fixed(8);
    const accepted = answered.uint32();
    if (accepted !== 0) throw new Error(`accept_stat ${accepted}`);
    return answered;
  }

  /** The next reply to this call. */
  answer(xid: number): Promise<XdrReader> {
    return new Promise((resolve, reject) => this.#waiting.set(xid, { resolve, reject }));
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
}

export interface WrittenCall {
  readonly xid: number;
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  readonly args: XdrWriter;
  readonly flavor?: number;
  readonly rpcVersion?: number;
}

export function callRecord({
  xid,
  program,
  version,
  procedure,
  args,
  flavor = 0,
  rpcVersion = 2,
}: WrittenCall): Buffer {
  const head = new XdrWriter().uint32(xid).uint32(0).uint32(rpcVersion).uint32(program).uint32(version);
  head.uint32(procedure).uint32(flavor).uint32(0).uint32(0).uint32(0).append(args);
  return Buffer.concat(head.parts());
}
