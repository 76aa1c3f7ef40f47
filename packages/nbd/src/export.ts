import type { BlockStatus } from "./pending-reply.ts";

/**
 * A disk that a server can serve. Calls overlap, on any number of connections, and stay inside `logicalBytes`. The
 * server maps their errors to the protocol's: NbdRequestError and system errors by their errno, the rest as EIO. It
 * aborts the signal when the client is gone. It does not offer absent operations to clients.
 */
export interface NbdExport {
  /** In bytes. */
  readonly logicalBytes: number;
  readonly readOnly: boolean;
  readonly description?: string;
  /** Metadata contexts that `blockStatus` knows, e.g. `base:allocation`. */
  readonly contexts?: readonly string[];
  /** Fills the whole buffer. */
  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void>;
  /** `data` is the server's again once the promise settles. */
  write?(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void>;
  /** The range reads as zeros afterwards; with `mayTrim` it need not keep its space. */
  zero?(offset: number, length: number, options: { mayTrim: boolean }, signal: AbortSignal): Promise<void>;
  /** The range is no longer needed. */
  trim?(offset: number, length: number, signal: AbortSignal): Promise<void>;
  /** Everything written, on whichever connection, is durable when this resolves. Also serves force unit access. */
  flush?(signal: AbortSignal): Promise<void>;
  /** At least one run, starting at `offset`; may cover less or more than `length`. */
  blockStatus?(context: string, offset: number, length: number, signal: AbortSignal): Promise<readonly BlockStatus[]>;
}
