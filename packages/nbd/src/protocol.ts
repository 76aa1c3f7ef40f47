/**
 * Numbers of the NBD protocol on the wire. Source: doc/proto.md of the NetworkBlockDevice/nbd project.
 * All integers are big-endian. Names follow that document without their NBD_ prefix.
 */

export const MAGIC = {
  /** "NBDMAGIC", the first eight bytes of every server. */
  server: 0x4e42444d41474943n,
  /** "IHAVEOPT": the server speaks newstyle; also starts every option. */
  option: 0x49484156454f5054n,
  optionReply: 0x0003e889045565a9n,
  request: 0x25609513,
  simpleReply: 0x67446698,
  structuredReply: 0x668e33ef,
} as const;

/** Same bits in the server's and in the client's flags. */
export const HANDSHAKE = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const OPTION = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

const OPTION_ERROR = 0x8000_0000;
export const OPTION_REPLY = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  unsupported: OPTION_ERROR + 1,
  policy: OPTION_ERROR + 2,
  invalid: OPTION_ERROR + 3,
  platform: OPTION_ERROR + 4,
  tlsRequired: OPTION_ERROR + 5,
  unknown: OPTION_ERROR + 6,
  shutdown: OPTION_ERROR + 7,
  blockSizeRequired: OPTION_ERROR + 8,
  tooBig: OPTION_ERROR + 9,
} as const;

export function isOptionError(replyType: number): boolean {
  return replyType >= OPTION_ERROR;
}

export const INFO = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

export const TRANSMISSION = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  sendFlush: 1 << 2,
  sendFua: 1 << 3,
  rotational: 1 << 4,
  sendTrim: 1 << 5,
  sendWriteZeroes: 1 << 6,
  sendDontFragment: 1 << 7,
  canMultiConn: 1 << 8,
  sendCache: 1 << 10,
  sendFastZero: 1 << 11,
} as const;

export const COMMAND = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const COMMAND_FLAG = { fua: 1, noHole: 2, dontFragment: 4, reqOne: 8, fastZero: 16 } as const;

export const CHUNK_FLAG_DONE = 1;
const CHUNK_ERROR = 1 << 15;
export const CHUNK = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  error: CHUNK_ERROR + 1,
  errorOffset: CHUNK_ERROR + 2,
} as const;

export function isChunkError(chunkType: number): boolean {
  return (chunkType & CHUNK_ERROR) !== 0;
}

/** Errors that NBD can carry. Values equal Linux errno on most platforms, but are the protocol's own. */
export const ERRNO = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;
export type NbdErrno = keyof typeof ERRNO;

/** Flags of the `base:allocation` context. */
export const ALLOCATION = { hole: 1, zero: 2 } as const;
/** Name of the metadata context that every server with block status should have. */
export const BASE_ALLOCATION = "base:allocation";

/** Sizes in bytes. */
export const REQUEST_BYTES = 28;
export const SIMPLE_REPLY_BYTES = 16;
export const STRUCTURED_REPLY_BYTES = 20;
export const OPTION_BYTES = 16;
export const OPTION_REPLY_BYTES = 20;
/** Longest export name, context name or message. */
export const MAX_STRING_BYTES = 4096;
/** Largest portable payload without negotiated block sizes. */
export const DEFAULT_MAX_BLOCK_BYTES = 32 * 1024 * 1024;
