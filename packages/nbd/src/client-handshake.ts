import type net from "node:net";
import type tls from "node:tls";

import type { NbdAddress } from "./address.ts";
import { ByteReader } from "./byte-reader.ts";
import { NbdHandshakeError, NbdProtocolError } from "./errors.ts";
import { OptionChannel, refusalError, type OptionReply } from "./option-channel.ts";
import { DEFAULT_MAX_BLOCK_BYTES, HANDSHAKE, INFO, MAGIC, OPTION, OPTION_REPLY } from "./protocol.ts";
import { secureClientSocket, type ReadSocket } from "./socket.ts";
import { readUint64 } from "./uint64.ts";
import { uint16, uint32, wireString } from "./wire.ts";

/** The first bytes after "NBDMAGIC" of servers older than newstyle. */
const OLDSTYLE_MAGIC = 0x00420281861253n;

export interface HandshakeOptions {
  readonly address: NbdAddress;
  readonly exportName: string;
  readonly contexts: readonly string[];
  readonly tls: tls.ConnectionOptions | undefined;
}

export interface BlockSizes {
  /** Every offset and length must be a multiple of this. */
  readonly minimum: number;
  readonly preferred: number;
  /** Largest payload of one request. */
  readonly maximum: number;
}

/** A connection ready for requests. Use `socket` from now on: TLS may have replaced the first. */
export interface NegotiatedConnection extends ReadSocket {
  readonly logicalBytes: number;
  readonly flags: number;
  readonly blockSizes: BlockSizes;
  readonly structuredReplies: boolean;
  /** Id on the wire → name of each granted metadata context. */
  readonly contexts: ReadonlyMap<number, string>;
}

/** Fixed newstyle handshake up to NBD_OPT_GO, or NBD_OPT_EXPORT_NAME with servers that lack it. */
export async function negotiate(connected: ReadSocket, options: HandshakeOptions): Promise<NegotiatedConnection> {
  let { socket, reader } = connected;
  const noZeroes = await greet(socket, reader);
  let channel = new OptionChannel(socket, reader);
  if (options.tls !== undefined) {
    const { refusal } = await channel.ask(OPTION.startTls);
    if (refusal !== undefined) throw refusalError(refusal, "TLS");
    reader.detach();
    socket = await secureClientSocket(socket, options.address, options.tls);
    reader = new ByteReader(socket);
    channel = new OptionChannel(socket, reader);
  }
  const structuredReplies = (await channel.ask(OPTION.structuredReply)).refusal === undefined;
  const contexts = structuredReplies ? await askContexts(channel, options) : new Map<number, string>();
  const exported = await chooseExport(channel, reader, options.exportName, noZeroes);
  return { socket, reader, ...exported, structuredReplies, contexts };
}

/** Magic numbers and flags. Returns whether both sides leave out the 124 zeroes after NBD_OPT_EXPORT_NAME. */
async function greet(socket: net.Socket, reader: ByteReader): Promise<boolean> {
  const greeting = await reader.bytes(16);
  if (greeting.readBigUInt64BE(0) !== MAGIC.server) throw new NbdProtocolError("this is not an NBD server");
  const style = greeting.readBigUInt64BE(8);
  if (style === OLDSTYLE_MAGIC) throw tooOld();
  if (style !== MAGIC.option) throw new NbdProtocolError("bad magic in the server's greeting");
  const offered = (await reader.bytes(2)).readUInt16BE(0);
  if ((offered & HANDSHAKE.fixedNewstyle) === 0) throw tooOld();
  const accepted = offered & (HANDSHAKE.fixedNewstyle | HANDSHAKE.noZeroes);
  socket.write(uint32(accepted));
  return (accepted & HANDSHAKE.noZeroes) !== 0;
}

function tooOld(): NbdHandshakeError {
  return new NbdHandshakeError("the NBD server speaks only the protocol from before fixed newstyle negotiation", {
    hint: "Use a server from after 2011: qemu-nbd, nbdkit and nbd-server all qualify.",
  });
}

async function askContexts(channel: OptionChannel, options: HandshakeOptions): Promise<Map<number, string>> {
  const granted = new Map<number, string>();
  if (options.contexts.length === 0) return granted;
  const queries = options.contexts.map(wireString);
  const data = Buffer.concat([wireString(options.exportName), uint32(queries.length), ...queries]);
  const { replies, refusal } = await channel.ask(OPTION.setMetaContext, data);
  if (refusal !== undefined) {
    if (refusal.type === OPTION_REPLY.unsupported) return granted;
    throw refusalError(refusal, `metadata contexts of export "${options.exportName}"`);
  }
  for (const { type, data: context } of replies) {
    if (type !== OPTION_REPLY.metaContext || context.length < 4)
      throw new NbdProtocolError("bad metadata context reply");
    granted.set(context.readUInt32BE(0), context.toString("utf8", 4));
  }
  return granted;
}

type ExportFacts = Pick<NegotiatedConnection, "logicalBytes" | "flags" | "blockSizes">;

async function chooseExport(
  channel: OptionChannel,
  reader: ByteReader,
  name: string,
  noZeroes: boolean,
): Promise<ExportFacts> {
  const data = Buffer.concat([wireString(name), uint16(1), uint16(INFO.blockSize)]);
  const { replies, refusal } = await channel.ask(OPTION.go, data);
  if (refusal === undefined) return exportFacts(replies);
  if (refusal.type !== OPTION_REPLY.unsupported) throw refusalError(refusal, `export "${name}"`);

  // A server can refuse this option only by closing the connection, which the reader reports.
  channel.send(OPTION.exportName, Buffer.from(name, "utf8"));
  const answer = await reader.bytes(10);
  if (!noZeroes) await reader.skip(124);
  return { logicalBytes: readUint64(answer, 0), flags: answer.readUInt16BE(8), blockSizes: DEFAULT_BLOCK_SIZES };
}

const DEFAULT_BLOCK_SIZES: BlockSizes = { minimum: 1, preferred: 4096, maximum: DEFAULT_MAX_BLOCK_BYTES };

function exportFacts(replies: readonly OptionReply[]): ExportFacts {
  let exported: Pick<ExportFacts, "logicalBytes" | "flags"> | undefined;
  let blockSizes = DEFAULT_BLOCK_SIZES;
  for (const { type, data } of replies) {
    if (type !== OPTION_REPLY.info || data.length < 2) throw new NbdProtocolError("bad reply to NBD_OPT_GO");
    const info = data.readUInt16BE(0);
    if (info === INFO.export && data.length === 12) {
      exported = { logicalBytes: readUint64(data, 2), flags: data.readUInt16BE(10) };
    } else if (info === INFO.blockSize && data.length === 14) {
      blockSizes = checkedBlockSizes(data.readUInt32BE(2), data.readUInt32BE(6), data.readUInt32BE(10));
    } else if (info === INFO.export || info === INFO.blockSize) {
      throw new NbdProtocolError(`bad length of info ${info} in the reply to NBD_OPT_GO`);
    }
  }
  if (exported === undefined) throw new NbdProtocolError("the server did not tell the size of the export");
  return { ...exported, blockSizes };
}

function checkedBlockSizes(minimum: number, preferred: number, announcedMaximum: number): BlockSizes {
  // A larger maximum (up to "no limit") only causes larger allocations on both sides.
  const maximum = Math.min(announcedMaximum, DEFAULT_MAX_BLOCK_BYTES);
  const powerOfTwo = minimum > 0 && Number.isInteger(Math.log2(minimum));
  if (!powerOfTwo || minimum > 65_536 || maximum < minimum || maximum % minimum !== 0) {
    throw new NbdProtocolError(`absurd block sizes ${minimum}, ${preferred}, ${announcedMaximum} announced`);
  }
  return { minimum, preferred, maximum };
}
