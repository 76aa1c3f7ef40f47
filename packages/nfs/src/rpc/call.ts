import { NfsProtocolError } from "../errors.ts";
import { XdrReader } from "../xdr/xdr-reader.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";

/** The header of a call (RFC 5531). */
export interface RpcCall {
  readonly xid: number;
  readonly rpcVersion: number;
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  /** Flavor of the credentials: 0 none, 1 the client's word for its user (AUTH_SYS). */
  readonly flavor: number;
  readonly args: XdrReader;
}

/** Why a call was not carried out; the numbers are of RFC 5531 (`accept_stat`). */
export const ACCEPT = {
  success: 0,
  programUnavailable: 1,
  programMismatch: 2,
  procedureUnavailable: 3,
  garbageArgs: 4,
  systemError: 5,
} as const;

export const RPC_VERSION = 2;
const CALL = 0;
const REPLY = 1;
const ACCEPTED = 0;
const DENIED = 1;
const RPC_MISMATCH = 0;
const AUTH_ERROR = 1;
const AUTH_TOO_WEAK = 5;
const MOST_AUTH_BYTES = 400;

/** @throws NfsProtocolError when it is no call */
export function readCall(record: Buffer): RpcCall {
  const reader = new XdrReader(record);
  const xid = reader.uint32();
  if (reader.uint32() !== CALL) throw new NfsProtocolError("a client sent a reply");
  const [rpcVersion, program, version, procedure] = [
    reader.uint32(),
    reader.uint32(),
    reader.uint32(),
    reader.uint32(),
  ];
  const flavor = reader.uint32();
  reader.opaque(MOST_AUTH_BYTES);
  reader.uint32();
  reader.opaque(MOST_AUTH_BYTES);
  return { xid, rpcVersion, program, version, procedure, flavor, args: reader };
}

/** The head of a reply to a call that was accepted; the results follow it. */
export function acceptedReply(xid: number, status: (typeof ACCEPT)[keyof typeof ACCEPT]): XdrWriter {
  // An empty verifier.
  return new XdrWriter().uint32(xid).uint32(REPLY).uint32(ACCEPTED).uint32(0).uint32(0).uint32(status);
}

/** Names the only version of RPC, or of a program, that this server knows. */
export function mismatchReply(xid: number, version: number): XdrWriter {
  return acceptedReply(xid, ACCEPT.programMismatch).uint32(version).uint32(version);
}

export function rpcMismatchReply(xid: number): XdrWriter {
  const head = new XdrWriter().uint32(xid).uint32(REPLY).uint32(DENIED);
  return head.uint32(RPC_MISMATCH).uint32(RPC_VERSION).uint32(RPC_VERSION);
}

export function authReply(xid: number): XdrWriter {
  return new XdrWriter().uint32(xid).uint32(REPLY).uint32(DENIED).uint32(AUTH_ERROR).uint32(AUTH_TOO_WEAK);
}
