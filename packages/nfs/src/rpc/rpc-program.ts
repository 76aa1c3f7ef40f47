import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";

/** The client that a call came from. */
export interface RpcClient {
  /** IPv4 or IPv6 address. */
  readonly address: string;
}

/**
 * Reads the arguments, carries the call out and writes its results.
 * @throws NfsProtocolError for wrong arguments
 */
export type RpcProcedure = (args: XdrReader, results: XdrWriter, client: RpcClient) => Promise<void> | void;

/** One version of one program of ONC RPC. */
export interface RpcProgram {
  readonly program: number;
  readonly version: number;
  /** By number. Every program answers 0 with nothing. */
  readonly procedures: ReadonlyMap<number, RpcProcedure>;
  /** Procedures that must not be carried out twice when a client repeats a call whose reply it missed. */
  readonly notTwice?: ReadonlySet<number>;
}
