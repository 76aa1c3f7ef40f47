import type { DiskTarget } from "@ovault/contract";

/** A disk in memory to restore into. */
export class MemoryTarget implements DiskTarget {
  readonly diskId: string;
  readonly logicalBytes: number;
  readonly maxWrites = 4;
  /** Starts as garbage, so that unwritten ranges show. */
  readonly bytes: Uint8Array;
  flushed = false;

  constructor(diskId: string, logicalBytes: number) {
    this.diskId = diskId;
    this.logicalBytes = logicalBytes;
    this.bytes = new Uint8Array(logicalBytes).fill(0xdd);
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    this.bytes.set(data, offset);
  }

  async zero(offset: number, length: number): Promise<void> {
    this.bytes.fill(0, offset, offset + length);
  }

  async flush(): Promise<void> {
    this.flushed = true;
  }
}
