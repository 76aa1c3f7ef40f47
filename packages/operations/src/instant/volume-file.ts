import { mkdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { IntegrityError, syncDirectory } from "@ovault/contract";
import { DurableOverlay, PaddedDisk, type RangedDisk } from "@ovault/disk-image";
import { type FileAttributes, type FileId, type FileTime, type LocalFileSystem, NfsStatusError } from "@ovault/nfs";

import { idOf, type VolumeEntry } from "./volume-table.ts";

export interface VolumeFileOptions {
  /** Holds the placeholder: a file of the size of the volume, without content. */
  readonly files: LocalFileSystem;
  readonly entry: VolumeEntry;
  readonly overlayDirectory: string;
  /** Called for each read or write that meets damage, of the point or of what was written. */
  readonly onDamage: (error: IntegrityError) => void;
  /** Ends all reads of the disk. Clients that leave end none: others may wait for the same block. */
  readonly signal: AbortSignal;
}

/** Where the data of an overlay lies. */
const DATA = "data";
const BLOCK_BYTES = 512;
/** How long a call waits for a disk that is not attached yet. Told to try later, a kernel would wait as long. */
const ATTACH_MS = 5_000;
/** For how long the room that an overlay takes is known. */
const KNOWN_MS = 1000;

/**
 * A disk of a point as a file that can be written. Its name, mode and size are those of a placeholder, its content that of
 * the disk and of an overlay over it. Until it is attached, and while the store fails, clients are told to try later.
 */
export class VolumeFile {
  readonly id: FileId;
  readonly #options: VolumeFileOptions;
  readonly #attached = Promise.withResolvers<void>();
  #overlay: DurableOverlay | undefined;
  #damage: IntegrityError | undefined;
  #bytes: number;
  /** What the placeholder has. */
  #keptBytes: number;
  /** Later than any change before this process, so that clients take nothing they cached for certain. */
  #modifiedAt: FileTime | undefined = now();
  #baseUsedBytes = 0;
  #used = { bytes: 0, at: Number.NEGATIVE_INFINITY };

  /** @throws NfsStatusError `stale` when the placeholder is gone */
  static async open(options: VolumeFileOptions): Promise<VolumeFile> {
    const { bytes } = await options.files.attributes(idOf(options.entry));
    return new VolumeFile(options, Number(bytes));
  }

  private constructor(options: VolumeFileOptions, bytes: number) {
    this.id = idOf(options.entry);
    this.#options = options;
    this.#bytes = bytes;
    this.#keptBytes = bytes;
  }

  /**
   * Gives it the disk. `name` tells the disk, as it is shown, from all others for ever. When what was written over the
   * disk is damaged, every read and write of the file is an I/O error from then on.
   */
  async attach(base: RangedDisk, name: string): Promise<void> {
    if (this.#overlay !== undefined || this.#damage !== undefined) return;
    const { entry, files, overlayDirectory: directory } = this.#options;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await syncDirectory(dirname(directory));
      this.#overlay = await DurableOverlay.open({ base: new PaddedDisk(base, entry.capacityBytes), name, directory });
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      this.#damage = error;
      this.#options.onDamage(error);
      return;
    } finally {
      if (this.#overlay !== undefined || this.#damage !== undefined) this.#attached.resolve();
    }
    // Opened, the placeholder is looked at without a search for its path.
    await files.read(this.id, 0, new Uint8Array());
    void this.#measure(base);
  }

  async attributes(placeholder: FileAttributes): Promise<FileAttributes> {
    const usedBytes = Math.min(await this.#usedBytes(), this.#bytes);
    const times = this.#modifiedAt && {
      modifiedAt: later(this.#modifiedAt, placeholder.modifiedAt),
      changedAt: later(this.#modifiedAt, placeholder.changedAt),
    };
    return { ...placeholder, ...times, bytes: BigInt(this.#bytes), usedBytes: BigInt(usedBytes) };
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const length = Math.max(0, Math.min(target.byteLength, this.#bytes - offset));
    if (length === 0) return 0;
    await this.#do((overlay) => overlay.readInto(offset, target.subarray(0, length), this.#options.signal));
    return length;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const end = offset + bytes.byteLength;
    this.#assertFits(end);
    await this.#do((overlay) => overlay.write(offset, bytes, this.#options.signal));
    this.#bytes = Math.max(this.#bytes, end);
    this.#modifiedAt = now();
  }

  async sync(): Promise<void> {
    await this.#keepSize();
    await this.#do((overlay) => overlay.flush());
  }

  /** What is cut off reads as zeros when the file grows again. Durable when it resolves. */
  async resize(bytes: number): Promise<void> {
    this.#assertFits(bytes);
    const before = this.#bytes;
    await this.#do(async (overlay) => {
      if (bytes < before) await overlay.zero(bytes, before - bytes, this.#options.signal);
      await overlay.flush();
    });
    this.#bytes = bytes;
    this.#modifiedAt = now();
    await this.#keepSize();
  }

  /** Shows the time that a client has given the placeholder, until the next write. */
  forgetTime(): void {
    this.#modifiedAt = undefined;
  }

  /** Makes everything durable. */
  async close(): Promise<void> {
    const overlay = this.#overlay;
    this.#overlay = undefined;
    if (overlay === undefined) return;
    await this.#keepSize();
    await overlay.close();
  }

  /** Frees the room of a file that was removed. */
  async discard(): Promise<void> {
    await this.#overlay?.close().catch(() => undefined);
    this.#overlay = undefined;
    await rm(this.#options.overlayDirectory, { recursive: true, force: true });
  }

  async #do<T>(work: (overlay: DurableOverlay) => Promise<T>): Promise<T> {
    if (this.#overlay === undefined && this.#damage === undefined) {
      const { signal } = this.#options;
      await Promise.race([this.#attached.promise, delay(ATTACH_MS, undefined, { signal }).catch(() => undefined)]);
    }
    if (this.#damage !== undefined) throw new NfsStatusError("io", { cause: this.#damage });
    if (this.#overlay === undefined) throw new NfsStatusError("later");
    try {
      return await work(this.#overlay);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      this.#options.onDamage(error);
      throw new NfsStatusError("io", { cause: error });
    }
  }

  async #keepSize(): Promise<void> {
    const bytes = this.#bytes;
    if (bytes === this.#keptBytes) return;
    await this.#options.files.change(this.id, { bytes: BigInt(bytes) });
    this.#keptBytes = bytes;
  }

  #assertFits(bytes: number): void {
    if (bytes > this.#options.entry.capacityBytes) throw new NfsStatusError("tooBig");
  }

  /** Room of the disk and of what lies over it. Pages of both count twice. */
  async #usedBytes(): Promise<number> {
    if (performance.now() - this.#used.at >= KNOWN_MS) {
      this.#used = { ...this.#used, at: performance.now() };
      const { blocks } = await stat(join(this.#options.overlayDirectory, DATA)).catch(() => ({ blocks: 0 }));
      this.#used = { ...this.#used, bytes: blocks * BLOCK_BYTES };
    }
    return this.#baseUsedBytes + this.#used.bytes;
  }

  /** Reads the whole map of the disk: in the background. */
  async #measure(base: RangedDisk): Promise<void> {
    try {
      const range = { offset: 0, length: base.logicalBytes };
      for await (const { kind, length } of base.extentsOf(range, this.#options.signal)) {
        if (kind === "data") this.#baseUsedBytes += length;
      }
    } catch {
      // What is not known does not count; reads of the disk meet the same error.
    }
  }
}

function now(): FileTime {
  const ms = Date.now();
  return { seconds: Math.floor(ms / 1000), nanoseconds: (ms % 1000) * 1_000_000 };
}

function later(one: FileTime, other: FileTime): FileTime {
  const isLater = one.seconds > other.seconds || (one.seconds === other.seconds && one.nanoseconds > other.nanoseconds);
  return isLater ? one : other;
}
