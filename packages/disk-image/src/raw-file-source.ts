import { open, readFile, type FileHandle } from "node:fs/promises";
import { basename } from "node:path";

import { type Disk, type DiskSource, type Extent, SourceError } from "@ovault/contract";

import { imageFileError } from "./errors.ts";
import { standaloneDisk } from "./standalone-disk.ts";

/** Unit of the size of block devices in sysfs, whatever their sectors are. */
const SYSFS_SECTOR_BYTES = 512;

/**
 * A raw image file or block device, read in full.
 *
 * It has one data extent. Node cannot find holes without native code (SEEK_HOLE and FIEMAP are not reachable, and
 * counting allocated blocks is not safe on file systems that keep small files in their inodes), so the source reads
 * them, which costs no I/O, and the pipeline finds their blocks to be zero.
 */
export class RawFileSource implements DiskSource {
  readonly disk: Disk;
  readonly mode = "full";
  readonly reason = "a raw image knows no changes";
  readonly maxReads = 8;
  readonly readsUnchanged = false;
  readonly #path: string;
  readonly #handle: FileHandle;

  /** The disk's id defaults to the name of the file. @throws ImageFileError */
  static async open(path: string, options: { readonly diskId?: string } = {}): Promise<RawFileSource> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, "r");
      const disk = standaloneDisk(options.diskId ?? basename(path), await sizeOf(handle));
      return new RawFileSource(path, handle, disk);
    } catch (error) {
      await handle?.close();
      throw imageFileError(error, path);
    }
  }

  private constructor(path: string, handle: FileHandle, disk: Disk) {
    this.#path = path;
    this.#handle = handle;
    this.disk = disk;
  }

  async *extents(): AsyncGenerator<Extent> {
    const length = this.disk.logicalBytes;
    if (length > 0) yield { offset: 0, length, kind: "data" };
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    for (let done = 0; done < buffer.length;) {
      signal.throwIfAborted();
      const bytesRead = await this.#read(buffer, done, offset + done);
      if (bytesRead === 0) {
        throw new SourceError(`${this.#path} ends at ${offset + done} instead of ${this.disk.logicalBytes}`, {
          context: { path: this.#path, offset, length: buffer.length },
          hint: "Something has made the file shorter while it was read.",
        });
      }
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #read(buffer: Uint8Array, at: number, position: number): Promise<number> {
    try {
      return (await this.#handle.read(buffer, at, buffer.length - at, position)).bytesRead;
    } catch (error) {
      throw imageFileError(error, this.#path);
    }
  }
}

async function sizeOf(handle: FileHandle): Promise<number> {
  const stat = await handle.stat();
  if (!stat.isBlockDevice()) return stat.size;
  // The parts of a device number as glibc packs them (makedev(3)).
  const major = Math.floor(stat.rdev / 256) % 4096;
  const minor = (stat.rdev % 256) + (Math.floor(stat.rdev / 2 ** 20) % 4096) * 256;
  return Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, "utf8")) * SYSFS_SECTOR_BYTES;
}
