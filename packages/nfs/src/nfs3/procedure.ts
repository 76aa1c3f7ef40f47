import { NfsProtocolError } from "../errors.ts";
import type { RpcProcedure } from "../rpc/rpc-program.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { Nfs3Context } from "./nfs3-context.ts";
import { NfsStatusError, OK, statusNumber, statusOf } from "./status.ts";

/** One procedure of NFSv3: how its arguments are read, what it does, and what it answers after a failure. */
export interface Nfs3Procedure<Call> {
  /** Called first. May throw NfsStatusError for a handle, or a name, that is none. */
  read(args: XdrReader, context: Nfs3Context): Call;
  /** Writes what follows the status. */
  carryOut(call: Call, results: XdrWriter, context: Nfs3Context): Promise<void>;
  /** What follows the status of a failure; `call` is undefined when it could not be read. */
  failed?(call: Call | undefined, results: XdrWriter, context: Nfs3Context): Promise<void> | void;
}

/** Results of a procedure are written apart, so that a failure half way leaves nothing of them. */
export function rpcProcedure<Call>(
  procedure: Nfs3Procedure<Call>,
  contexts: readonly [Nfs3Context, ...Nfs3Context[]],
): RpcProcedure {
  return async (args, results) => {
    // All procedures begin with a handle. One of another file system is refused by each of them.
    const context = contexts.find(({ handles }) => handles.isNext(args)) ?? contexts[0];
    let call: Call | undefined;
    try {
      call = procedure.read(args, context);
      const own = new XdrWriter();
      await procedure.carryOut(call, own, context);
      results.uint32(OK).append(own);
    } catch (error) {
      if (error instanceof NfsProtocolError) throw error;
      const status = statusOf(error);
      if (status === "later" || status === "io") context.onError(error);
      results.uint32(statusNumber(status));
      await procedure.failed?.(call, results, context);
    }
  };
}

const MOST_NAME_BYTES = 255;
const MOST_PATH_BYTES = 4096;

/** @throws NfsStatusError for a name that no file can have */
export function readName(args: XdrReader): string {
  const name = readText(args, MOST_PATH_BYTES);
  if (Buffer.byteLength(name) > MOST_NAME_BYTES) throw new NfsStatusError("nameTooLong");
  if (name === "" || name.includes("/")) throw new NfsStatusError("invalid");
  return name;
}

/** A name for something new, or for what is to go. @throws NfsStatusError for `.` and `..` as well */
export function readNewName(args: XdrReader): string {
  const name = readName(args);
  if (name === "." || name === "..") throw new NfsStatusError("invalid");
  return name;
}

/** Where a link leads: any text. */
export function readPath(args: XdrReader): string {
  return readText(args, MOST_PATH_BYTES);
}

function readText(args: XdrReader, mostBytes: number): string {
  const bytes = args.opaque(mostBytes);
  const text = bytes.toString();
  if (text.includes("\0") || !Buffer.from(text).equals(bytes)) throw new NfsStatusError("invalid");
  return text;
}
