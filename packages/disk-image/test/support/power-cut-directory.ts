import type { OverlayDirectory } from "../../src/overlay/durable-overlay.ts";
import type { OverlayFile } from "../../src/overlay/overlay-file.ts";

const SECTOR_BYTES = 512;

/** Chooses one of so many. */
export type Choose = (choices: number) => number;

interface Content {
  bytes: Buffer;
  /** Versions of each sector since it was durable, oldest first; the first is the durable one. */
  readonly unsynced: Map<number, Buffer[]>;
}

export interface Faults {
  /** Called before each call of a file; what it throws is the operating system's error. */
  before?: (call: "write" | "datasync" | "truncate", name: string) => void;
}

/**
 * Files in memory that lose power: of what was written and not synced, any sector may be there in any of its versions.
 * Names are durable at once, as the directory's owner syncs them.
 */
export class PowerCutDirectory implements OverlayDirectory {
  readonly path = "/overlay";
  readonly faults: Faults = {};
  readonly rewriteBytes: number;
  readonly #files: Map<string, Content>;

  constructor(rewriteBytes: number, files: Map<string, Content> = new Map()) {
    this.rewriteBytes = rewriteBytes;
    this.#files = files;
  }

  async open(name: string, mode: "existing" | "new"): Promise<OverlayFile> {
    const found = this.#files.get(name);
    if (mode === "existing" && found === undefined) throw systemError("ENOENT");
    if (mode === "new" && found !== undefined) throw systemError("EEXIST");
    const content = found ?? { bytes: Buffer.alloc(0), unsynced: new Map() };
    this.#files.set(name, content);
    return this.#fileOf(name, content);
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.#files.get(from);
    if (content === undefined) throw systemError("ENOENT");
    this.#files.set(to, content);
    this.#files.delete(from);
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name);
  }

  /** The directory as it is found after a power cut at this moment. */
  cut(choose: Choose): PowerCutDirectory {
    const files = new Map<string, Content>();
    for (const [name, { bytes, unsynced }] of this.#files) {
      const left = Buffer.from(bytes);
      for (const [sector, versions] of unsynced) {
        const version = versions[choose(versions.length)];
        version?.copy(left, sector * SECTOR_BYTES);
      }
      files.set(name, { bytes: left, unsynced: new Map() });
    }
    return new PowerCutDirectory(this.rewriteBytes, files);
  }

  /** Changes a byte of a file for good. */
  damage(name: string, offset: number): void {
    const content = this.#files.get(name);
    if (content !== undefined) content.bytes[offset] = Number(content.bytes[offset]) ^ 1;
  }

  sizeOf(name: string): number {
    return this.#files.get(name)?.bytes.length ?? 0;
  }

  #fileOf(name: string, content: Content): OverlayFile {
    const pass = async (call: "write" | "datasync" | "truncate"): Promise<void> => {
      await new Promise(setImmediate);
      this.faults.before?.(call, name);
    };
    return {
      read: async (into, at, length, offset) => {
        await new Promise(setImmediate);
        const bytesRead = content.bytes.copy(into, at, offset, Math.min(content.bytes.length, offset + length));
        return { bytesRead };
      },
      write: async (from, at, length, offset) => {
        await pass("write");
        put(content, offset, from.subarray(at, at + length));
        return { bytesWritten: length };
      },
      truncate: async (length) => {
        await pass("truncate");
        content.bytes = Buffer.from(content.bytes.subarray(0, length));
        for (const sector of content.unsynced.keys())
          if (sector * SECTOR_BYTES >= length) content.unsynced.delete(sector);
      },
      datasync: async () => {
        await pass("datasync");
        content.unsynced.clear();
      },
      close: async () => {},
    };
  }
}

function put(content: Content, offset: number, data: Uint8Array): void {
  const end = offset + data.byteLength;
  if (end > content.bytes.length)
    content.bytes = Buffer.concat([content.bytes, Buffer.alloc(end - content.bytes.length)]);
  const [first, last] = [Math.floor(offset / SECTOR_BYTES), Math.floor((end - 1) / SECTOR_BYTES)];
  const sectorOf = (sector: number): Buffer =>
    Buffer.from(content.bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
  for (let sector = first; sector <= last; sector += 1) {
    if (!content.unsynced.has(sector)) content.unsynced.set(sector, [sectorOf(sector)]);
  }
  content.bytes.set(data, offset);
  for (let sector = first; sector <= last; sector += 1) content.unsynced.get(sector)?.push(sectorOf(sector));
}

export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code, syscall: "call", errno: -1 });
}
