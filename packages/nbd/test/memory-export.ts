import { ALLOCATION, type BlockStatus, type NbdExport } from "../src/index.ts";

const RUN_BYTES = 4096;
/** Clients ask again from where an answer ends. */
const MAX_SCANNED_BYTES = 4 * 1024 * 1024;
const ZEROES = Buffer.alloc(RUN_BYTES);

/** A disk in memory, writable, whose allocation is what its bytes say. */
export class MemoryExport implements NbdExport {
  readonly readOnly = false;
  readonly bytes: Buffer;
  flushes = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get logicalBytes(): number {
    return this.bytes.length;
  }

  async readInto(offset: number, buffer: Uint8Array): Promise<void> {
    this.bytes.copy(buffer, 0, offset, offset + buffer.length);
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    this.bytes.set(data, offset);
  }

  async zero(offset: number, length: number): Promise<void> {
    this.bytes.fill(0, offset, offset + length);
  }

  async trim(offset: number, length: number): Promise<void> {
    this.bytes.fill(0, offset, offset + length);
  }

  async flush(): Promise<void> {
    this.flushes += 1;
  }

  async blockStatus(_context: string, offset: number, length: number): Promise<readonly BlockStatus[]> {
    const end = Math.min(offset + length, offset + MAX_SCANNED_BYTES);
    const runs: BlockStatus[] = [];
    for (let at = offset; at < end; at += RUN_BYTES) {
      const run = this.bytes.subarray(at, Math.min(at + RUN_BYTES, end));
      const flags = run.equals(ZEROES.subarray(0, run.length)) ? ALLOCATION.hole | ALLOCATION.zero : 0;
      const last = runs.at(-1);
      if (last?.flags === flags) runs[runs.length - 1] = { length: last.length + run.length, flags };
      else runs.push({ length: run.length, flags });
    }
    return runs;
  }
}
