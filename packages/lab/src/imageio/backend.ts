/** The data of a ticket, for one HTTP connection. Offsets and lengths are bytes. */
export interface Backend {
  readonly sizeBytes: number;
  readonly maxReaders: number;
  readonly maxWriters: number;
  readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void>;
  write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void>;
  zero(offset: number, length: number, signal: AbortSignal): Promise<void>;
  flush(signal: AbortSignal): Promise<void>;
  /** Ascending, gapless, from 0 to the size; neighbours differ. */
  zeroExtents(signal: AbortSignal): AsyncIterable<ZeroExtent>;
  /** @throws HttpRefusal with status 404 where the source has no bitmap */
  dirtyExtents(signal: AbortSignal): AsyncIterable<DirtyExtent>;
  close(): Promise<void>;
}

/** As on the wire. `zero`: reads as zeros; `hole`: not allocated in this layer. */
export type ZeroExtent = {
  readonly start: number;
  readonly length: number;
  readonly zero: boolean;
  readonly hole: boolean;
};

/** As on the wire. `dirty`: changed since the checkpoint. */
export type DirtyExtent = {
  readonly start: number;
  readonly length: number;
  readonly dirty: boolean;
  readonly zero: boolean;
};
