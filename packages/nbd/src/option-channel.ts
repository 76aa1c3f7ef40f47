import type { Duplex } from "node:stream";

import type { ByteReader } from "./byte-reader.ts";
import { NbdExportUnknownError, NbdHandshakeError, NbdProtocolError, NbdTlsError } from "./errors.ts";
import { isOptionError, MAGIC, MAX_STRING_BYTES, OPTION_BYTES, OPTION_REPLY, OPTION_REPLY_BYTES } from "./protocol.ts";

/** Two strings and a few integers. */
const MAX_REPLY_BYTES = 2 * MAX_STRING_BYTES + 64;
/** Most metadata contexts or infos in one answer. */
const MAX_REPLIES = 4096;

export interface OptionReply {
  readonly type: number;
  readonly data: Buffer;
}

export interface OptionOutcome {
  /** Everything before the final reply. */
  readonly replies: readonly OptionReply[];
  /** The final reply when it is an error, else undefined: acknowledged. */
  readonly refusal: OptionReply | undefined;
}

/** The client's side of option negotiation: one option, its replies, the next option. */
export class OptionChannel {
  readonly #stream: Duplex;
  readonly #reader: ByteReader;

  constructor(stream: Duplex, reader: ByteReader) {
    this.#stream = stream;
    this.#reader = reader;
  }

  send(option: number, data: Uint8Array): void {
    const header = Buffer.alloc(OPTION_BYTES);
    header.writeBigUInt64BE(MAGIC.option, 0);
    header.writeUInt32BE(option, 8);
    header.writeUInt32BE(data.length, 12);
    this.#stream.write(Buffer.concat([header, data]));
  }

  async ask(option: number, data: Uint8Array = new Uint8Array()): Promise<OptionOutcome> {
    this.send(option, data);
    const replies: OptionReply[] = [];
    while (replies.length < MAX_REPLIES) {
      const reply = await this.#readReply(option);
      if (reply.type === OPTION_REPLY.ack) return { replies, refusal: undefined };
      if (isOptionError(reply.type)) return { replies, refusal: reply };
      replies.push(reply);
    }
    throw new NbdProtocolError(`the server does not stop answering option ${option}`);
  }

  async #readReply(option: number): Promise<OptionReply> {
    const header = await this.#reader.bytes(OPTION_REPLY_BYTES);
    if (header.readBigUInt64BE(0) !== MAGIC.optionReply) throw new NbdProtocolError("bad magic in an option reply");
    if (header.readUInt32BE(8) !== option) {
      throw new NbdProtocolError(`the server answers option ${header.readUInt32BE(8)} when ${option} was asked`);
    }
    const length = header.readUInt32BE(16);
    if (length > MAX_REPLY_BYTES) throw new NbdProtocolError(`option reply of ${length} bytes is too long`);
    return { type: header.readUInt32BE(12), data: await this.#reader.bytes(length) };
  }
}

/** The error for a refused option. `what` completes "the server refused …". */
export function refusalError(refusal: OptionReply, what: string): NbdHandshakeError {
  const reason = refusal.data.toString("utf8");
  const message = `the NBD server refused ${what}${reason === "" ? "" : `: ${reason}`}`;
  const context = { reply: refusal.type };
  switch (refusal.type) {
    case OPTION_REPLY.unknown:
      return new NbdExportUnknownError(message, { context, hint: "List the exports with `nbdinfo --list`." });
    case OPTION_REPLY.tlsRequired:
      return new NbdTlsError(message, { context, hint: "The server wants TLS: use nbds:// or give TLS options." });
    case OPTION_REPLY.shutdown:
      return new NbdHandshakeError(message, { context, retry: "transient" });
    default:
      return new NbdHandshakeError(message, { context });
  }
}
