/** Random access to the bytes of an image file, on this machine or behind a transfer's URL. */
export interface ByteSource {
  /** Length of the file. */
  readonly fileBytes: number;
  /** Fills `target` exactly or throws. */
  readInto(offset: number, target: Uint8Array, signal: AbortSignal): Promise<void>;
}
