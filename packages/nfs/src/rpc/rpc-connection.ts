import type { Socket } from "node:net";

import { NfsProtocolError } from "../errors.ts";
import {
  ACCEPT,
  acceptedReply,
  authReply,
  mismatchReply,
  readCall,
  RPC_VERSION,
  rpcMismatchReply,
  type RpcCall,
} from "./call.ts";
import { RecordReader } from "./record-reader.ts";
import type { ReplyCache } from "./reply-cache.ts";
import type { RpcProgram } from "./rpc-program.ts";

const LAST_FRAGMENT = 0x80000000;
const MOST_FLAVOR = 1;

export interface ConnectionOptions {
  readonly programs: readonly RpcProgram[];
  readonly replies: ReplyCache;
  /** Longest call. */
  readonly mostRecordBytes: number;
  /** Calls under way and replies that the client has not taken yet; above it, no more calls are carried out. */
  readonly mostHeldBytes: number;
  /** Calls carried out at once. */
  readonly mostCalls: number;
  /** Called for an error that a procedure did not turn into a status of its protocol. */
  readonly onError: (error: unknown) => void;
  /** Called when the connection holds more bytes than before. */
  readonly onHeld: () => void;
}

interface WaitingCall {
  readonly call: RpcCall;
  readonly recordBytes: number;
}

/** Answers the calls of one client's connection, many at once, until it ends. */
export class RpcConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #records: RecordReader;
  readonly #address: string;
  readonly #underWay = new Set<Promise<void>>();
  #underWayBytes = 0;
  /** Calls that have come and wait for others. */
  readonly #waiting: WaitingCall[] = [];

  constructor(socket: Socket, address: string, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#records = new RecordReader(options.mostRecordBytes);
    this.#address = address;
    socket.on("data", (piece) => this.#accept(piece));
    socket.on("drain", () => this.#startWaiting());
    socket.on("error", () => {});
  }

  /** Memory that calls and their replies take. */
  get heldBytes(): number {
    return this.#underWayBytes + this.#socket.writableLength;
  }

  /** Resolves when the connection is closed and no call of it is under way. Never rejects. */
  async ended(): Promise<void> {
    if (!this.#socket.closed) await new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #accept(piece: Buffer): void {
    try {
      for (const record of this.#records.accept(piece)) {
        this.#waiting.push({ call: readCall(record), recordBytes: record.length });
      }
      this.#startWaiting();
    } catch (error) {
      if (!(error instanceof NfsProtocolError)) this.#options.onError(error);
      this.#socket.destroy();
    }
  }

  #start({ call, recordBytes }: WaitingCall): void {
    this.#underWayBytes += recordBytes;
    const work = this.#answer(call)
      .then((parts) => this.#send(parts))
      .catch((error: unknown) => {
        this.#options.onError(error);
        this.#socket.destroy();
      })
      .finally(() => {
        this.#underWay.delete(work);
        this.#underWayBytes -= recordBytes;
        this.#startWaiting();
      });
    this.#underWay.add(work);
  }

  async #answer(call: RpcCall): Promise<readonly Uint8Array[]> {
    const { xid, program: number, procedure: procedureNumber } = call;
    if (call.rpcVersion !== RPC_VERSION) return rpcMismatchReply(xid).parts();
    if (call.flavor > MOST_FLAVOR) return authReply(xid).parts();
    const versions = this.#options.programs.filter(({ program }) => program === number);
    const [first] = versions;
    if (first === undefined) return acceptedReply(xid, ACCEPT.programUnavailable).parts();
    const program = versions.find(({ version }) => version === call.version);
    if (program === undefined) return mismatchReply(xid, first.version).parts();
    const procedure = program.procedures.get(procedureNumber);
    if (procedure === undefined) {
      return acceptedReply(xid, procedureNumber === 0 ? ACCEPT.success : ACCEPT.procedureUnavailable).parts();
    }
    const carryOut = async (): Promise<readonly Uint8Array[]> => {
      const reply = acceptedReply(xid, ACCEPT.success);
      try {
        await procedure(call.args, reply, { address: this.#address });
        return reply.parts();
      } catch (error) {
        if (error instanceof NfsProtocolError) return acceptedReply(xid, ACCEPT.garbageArgs).parts();
        this.#options.onError(error);
        return acceptedReply(xid, ACCEPT.systemError).parts();
      }
    };
    if (program.notTwice?.has(procedureNumber) !== true) return await carryOut();
    const title = `${xid} ${number} ${procedureNumber}`;
    return await this.#options.replies.once(this.#address, title, call.args.rest(), carryOut);
  }

  #send(parts: readonly Uint8Array[]): void {
    if (this.#socket.destroyed) return;
    const header = Buffer.alloc(4);
    header.writeUInt32BE(parts.reduce((sum, { length }) => sum + length, 0) + LAST_FRAGMENT);
    this.#socket.cork();
    this.#socket.write(header);
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
    this.#options.onHeld();
  }

  /** A client that sends faster than it is answered, or does not read its replies, waits. */
  #startWaiting(): void {
    const { mostCalls, mostHeldBytes } = this.#options;
    while (!this.#socket.destroyed && this.#underWay.size < mostCalls && this.heldBytes < mostHeldBytes) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#start(next);
    }
    if (this.#waiting.length > 0) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }
}

/** Without the prefix that IPv4 addresses have on a socket for both families. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}
