import type net from "node:net";

import { ByteReader } from "./byte-reader.ts";
import { NbdHandshakeError, NbdProtocolError } from "./errors.ts";
import type { NbdExport } from "./export.ts";
import {
  BASE_ALLOCATION,
  DEFAULT_MAX_BLOCK_BYTES,
  HANDSHAKE,
  INFO,
  MAGIC,
  OPTION,
  OPTION_BYTES,
  OPTION_REPLY,
  OPTION_REPLY_BYTES,
  TRANSMISSION,
} from "./protocol.ts";
import type { ReadSocket } from "./socket.ts";
import { writeUint64 } from "./uint64.ts";
import { OptionParser, uint16, uint32, wireString } from "./wire.ts";

/** Room for a name and a good number of context queries. */
const MAX_OPTION_BYTES = 64 * 1024;
const PREFERRED_BLOCK_BYTES = 64 * 1024;

export interface ServerHandshakeOptions {
  readonly exports: ReadonlyMap<string, NbdExport>;
  /** If present, clients must use TLS. */
  readonly secure: ((socket: net.Socket) => Promise<net.Socket>) | undefined;
}

/** A client that has chosen its export. */
export interface AcceptedClient extends ReadSocket {
  readonly exported: NbdExport;
  readonly structuredReplies: boolean;
  /** Names of the granted metadata contexts → their ids on this connection. */
  readonly contexts: ReadonlyMap<string, number>;
}

/** Fixed newstyle handshake, the server's side. Returns `undefined` when the client disconnected. */
export async function welcome(
  socket: net.Socket,
  options: ServerHandshakeOptions,
): Promise<AcceptedClient | undefined> {
  return new Welcome(socket, options).run();
}

interface ContextChoice {
  readonly exportName: string;
  readonly contexts: ReadonlyMap<string, number>;
}

class Welcome {
  readonly #options: ServerHandshakeOptions;
  #socket: net.Socket;
  #reader: ByteReader;
  #secured = false;
  #noZeroes = false;
  #structuredReplies = false;
  #choice: ContextChoice | undefined;

  constructor(socket: net.Socket, options: ServerHandshakeOptions) {
    this.#options = options;
    this.#socket = socket;
    this.#reader = new ByteReader(socket);
  }

  async run(): Promise<AcceptedClient | undefined> {
    await this.#greet();
    for (;;) {
      const header = await this.#reader.bytes(OPTION_BYTES);
      if (header.readBigUInt64BE(0) !== MAGIC.option) throw new NbdProtocolError("bad magic in an option");
      const option = header.readUInt32BE(8);
      const length = header.readUInt32BE(12);
      if (length > MAX_OPTION_BYTES) throw new NbdProtocolError(`option of ${length} bytes`);
      const data = await this.#reader.bytes(length);
      if (option === OPTION.abort) {
        this.#reply(option, OPTION_REPLY.ack);
        return undefined;
      }
      const accepted = await this.#answer(option, data);
      if (accepted !== undefined) return accepted;
    }
  }

  async #greet(): Promise<void> {
    const greeting = Buffer.alloc(18);
    greeting.writeBigUInt64BE(MAGIC.server, 0);
    greeting.writeBigUInt64BE(MAGIC.option, 8);
    greeting.writeUInt16BE(HANDSHAKE.fixedNewstyle | HANDSHAKE.noZeroes, 16);
    this.#socket.write(greeting);
    const flags = (await this.#reader.bytes(4)).readUInt32BE(0);
    if ((flags & ~(HANDSHAKE.fixedNewstyle | HANDSHAKE.noZeroes)) !== 0) {
      throw new NbdProtocolError(`unknown client flags ${flags}`);
    }
    this.#noZeroes = (flags & HANDSHAKE.noZeroes) !== 0;
  }

  async #answer(option: number, data: Buffer): Promise<AcceptedClient | undefined> {
    if (this.#options.secure !== undefined && !this.#secured && option !== OPTION.startTls) {
      if (option === OPTION.exportName) throw new NbdHandshakeError("a client chose an export without TLS");
      return this.#refuse(option, OPTION_REPLY.tlsRequired, "this server speaks TLS only");
    }
    switch (option) {
      case OPTION.startTls:
        return this.#startTls(data);
      case OPTION.structuredReply:
        if (data.length > 0) return this.#refuse(option, OPTION_REPLY.invalid, "unexpected data");
        this.#structuredReplies = true;
        return this.#reply(option, OPTION_REPLY.ack);
      case OPTION.list:
        return this.#list(data);
      case OPTION.listMetaContext:
      case OPTION.setMetaContext:
        return this.#metaContexts(option, data);
      case OPTION.info:
      case OPTION.go:
        return this.#infoOrGo(option, data);
      case OPTION.exportName:
        return this.#exportName(data);
      default:
        return this.#refuse(option, OPTION_REPLY.unsupported, "unknown option");
    }
  }

  async #startTls(data: Buffer): Promise<undefined> {
    const { secure } = this.#options;
    if (secure === undefined) return this.#refuse(OPTION.startTls, OPTION_REPLY.policy, "this server has no TLS");
    if (data.length > 0 || this.#secured) return this.#refuse(OPTION.startTls, OPTION_REPLY.invalid, "not now");
    this.#reader.detach();
    this.#reply(OPTION.startTls, OPTION_REPLY.ack);
    this.#socket = await secure(this.#socket);
    this.#reader = new ByteReader(this.#socket);
    this.#secured = true;
  }

  #list(data: Buffer): undefined {
    if (data.length > 0) return this.#refuse(OPTION.list, OPTION_REPLY.invalid, "unexpected data");
    for (const name of this.#options.exports.keys()) this.#reply(OPTION.list, OPTION_REPLY.server, wireString(name));
    return this.#reply(OPTION.list, OPTION_REPLY.ack);
  }

  #metaContexts(option: number, data: Buffer): undefined {
    const isSet = option === OPTION.setMetaContext;
    if (isSet) this.#choice = undefined;
    const parser = new OptionParser(data);
    const exportName = parser.string();
    const queries = Array.from({ length: Math.min(parser.uint32() ?? 0, data.length) }, () => parser.string());
    const wanted = queries.filter((query) => query !== undefined);
    if (exportName === undefined || wanted.length !== queries.length || !parser.atEnd) {
      return this.#refuse(option, OPTION_REPLY.invalid, "malformed");
    }
    const exported = this.#options.exports.get(exportName);
    if (exported === undefined) return this.#refuseUnknown(option, exportName);
    if (!this.#structuredReplies && isSet) {
      return this.#refuse(option, OPTION_REPLY.invalid, "structured replies come first");
    }
    const granted = new Map<string, number>();
    for (const [index, context] of offeredContexts(exported).entries()) {
      const matches = isSet
        ? wanted.includes(context)
        : wanted.length === 0 || wanted.some((query) => query === context || isPrefix(query, context));
      if (!matches) continue;
      granted.set(context, index);
      // A listing has no ids.
      const id = uint32(isSet ? index : 0);
      this.#reply(option, OPTION_REPLY.metaContext, Buffer.concat([id, Buffer.from(context, "utf8")]));
    }
    if (isSet) this.#choice = { exportName, contexts: granted };
    return this.#reply(option, OPTION_REPLY.ack);
  }

  #infoOrGo(option: number, data: Buffer): AcceptedClient | undefined {
    const parser = new OptionParser(data);
    const name = parser.string();
    const infos = Array.from({ length: parser.uint16() ?? 0 }, () => parser.uint16());
    if (name === undefined || infos.includes(undefined) || !parser.atEnd) {
      return this.#refuse(option, OPTION_REPLY.invalid, "malformed");
    }
    const exported = this.#options.exports.get(name);
    if (exported === undefined) return this.#refuseUnknown(option, name);
    this.#info(option, INFO.export, sizeAndFlags(exported));
    if (infos.includes(INFO.name)) this.#info(option, INFO.name, Buffer.from(name, "utf8"));
    if (infos.includes(INFO.description) && exported.description !== undefined) {
      this.#info(option, INFO.description, Buffer.from(exported.description, "utf8"));
    }
    const blockSizes = [1, PREFERRED_BLOCK_BYTES, DEFAULT_MAX_BLOCK_BYTES].map(uint32);
    this.#info(option, INFO.blockSize, Buffer.concat(blockSizes));
    this.#reply(option, OPTION_REPLY.ack);
    return option === OPTION.go ? this.#accept(name, exported) : undefined;
  }

  #exportName(data: Buffer): AcceptedClient {
    const name = data.toString("utf8");
    const exported = this.#options.exports.get(name);
    // This oldest option has no error reply: the server closes the connection instead.
    if (exported === undefined) throw new NbdHandshakeError(`a client asked for unknown export "${name}"`);
    this.#socket.write(Buffer.concat([sizeAndFlags(exported), Buffer.alloc(this.#noZeroes ? 0 : 124)]));
    return this.#accept(name, exported);
  }

  #accept(name: string, exported: NbdExport): AcceptedClient {
    return {
      socket: this.#socket,
      reader: this.#reader,
      exported,
      structuredReplies: this.#structuredReplies,
      contexts: this.#choice?.exportName === name ? this.#choice.contexts : new Map(),
    };
  }

  #info(option: number, info: number, data: Buffer): void {
    this.#reply(option, OPTION_REPLY.info, Buffer.concat([uint16(info), data]));
  }

  #refuseUnknown(option: number, name: string): undefined {
    return this.#refuse(option, OPTION_REPLY.unknown, `no export "${name}"`);
  }

  #refuse(option: number, type: number, reason: string): undefined {
    return this.#reply(option, type, Buffer.from(reason, "utf8"));
  }

  #reply(option: number, type: number, data: Buffer = Buffer.alloc(0)): undefined {
    const header = Buffer.alloc(OPTION_REPLY_BYTES);
    header.writeBigUInt64BE(MAGIC.optionReply, 0);
    header.writeUInt32BE(option, 8);
    header.writeUInt32BE(type, 12);
    header.writeUInt32BE(data.length, 16);
    this.#socket.write(Buffer.concat([header, data]));
  }
}

function offeredContexts(exported: NbdExport): readonly string[] {
  return exported.blockStatus === undefined ? [] : (exported.contexts ?? [BASE_ALLOCATION]);
}

/** `base:` stands for all contexts of that namespace, `qemu:dirty-bitmap:` for all bitmaps. */
function isPrefix(query: string, context: string): boolean {
  return query.endsWith(":") && context.startsWith(query);
}

function sizeAndFlags(exported: NbdExport): Buffer {
  const writable = !exported.readOnly;
  // One object serves every connection, so a flush on one covers the writes of all.
  let flags = TRANSMISSION.hasFlags | TRANSMISSION.canMultiConn | TRANSMISSION.sendDontFragment;
  if (exported.readOnly) flags |= TRANSMISSION.readOnly;
  if (exported.flush !== undefined) flags |= TRANSMISSION.sendFlush | TRANSMISSION.sendFua;
  if (writable && exported.trim !== undefined) flags |= TRANSMISSION.sendTrim;
  if (writable && exported.zero !== undefined) flags |= TRANSMISSION.sendWriteZeroes;
  const facts = Buffer.alloc(10);
  writeUint64(facts, exported.logicalBytes, 0);
  facts.writeUInt16BE(flags, 8);
  return facts;
}
