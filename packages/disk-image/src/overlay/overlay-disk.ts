import { open } from "node:fs/promises";

import { type Extent, settleAll, SourceError } from "@ovault/contract";

import { imageFileError } from "../errors.ts";
import type { RangedDisk, WritableRangedDisk } from "../ranged-disk.ts";
import { type OverlayFile, readUpTo, writeFully } from "./overlay-file.ts";
import { PAGE_BYTES, pagesOf, PageStates, type PageTable } from "./page-states.ts";
import { RangeLock } from "./range-lock.ts";

export interface OverlayParts {
  readonly base: RangedDisk;
  /** Holds page N at N × 4096. */
  readonly file: OverlayFile;
  /** For texts of errors. */
  readonly path: string;
  readonly pages: PageTable;
}

/**
 * What is written to a disk that itself never changes: pages of 4 KiB in a sparse file, and in memory which ones these
 * are. It ends with its process: `flush` makes nothing durable. `DurableOverlay` is one that survives.
 */
export class OverlayDisk implements WritableRangedDisk {
  readonly logicalBytes: number;
  readonly #base: RangedDisk;
  readonly #file: OverlayFile;
  readonly #path: string;
  readonly #pages: PageTable;
  readonly #writes = new RangeLock();

  /** Makes the file, for this user alone; the caller removes it. @throws ImageFileError */
  static async create(base: RangedDisk, path: string): Promise<OverlayDisk> {
    try {
      const file = await open(path, "wx+", 0o600);
      return new OverlayDisk({ base, file, path, pages: new PageStates(pagesOf(base.logicalBytes)) });
    } catch (error) {
      throw imageFileError(error, path);
    }
  }

  constructor({ base, file, path, pages }: OverlayParts) {
    this.logicalBytes = base.logicalBytes;
    this.#base = base;
    this.#file = file;
    this.#path = path;
    this.#pages = pages;
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    const end = offset + buffer.byteLength;
    const reads: Promise<void>[] = [];
    for (const { state, ...pages } of this.#pages.runs(Math.floor(offset / PAGE_BYTES), pagesOf(end))) {
      const from = Math.max(offset, pages.first * PAGE_BYTES);
      const into = buffer.subarray(from - offset, Math.min(end, pages.end * PAGE_BYTES) - offset);
      if (state === "base") reads.push(this.#base.readInto(from, into, signal));
      else if (state === "data") reads.push(this.#readFile(from, into));
      else into.fill(0);
    }
    await settleAll(reads);
  }

  async *extentsOf(
    { offset, length }: { readonly offset: number; readonly length: number },
    signal: AbortSignal,
  ): AsyncGenerator<Extent> {
    const end = offset + length;
    for (const { state, ...pages } of this.#pages.runs(Math.floor(offset / PAGE_BYTES), pagesOf(end))) {
      const from = Math.max(offset, pages.first * PAGE_BYTES);
      const range = { offset: from, length: Math.min(end, pages.end * PAGE_BYTES) - from };
      if (state === "base") yield* this.#base.extentsOf(range, signal);
      else yield { ...range, kind: state };
    }
  }

  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    const [first, end] = [Math.floor(offset / PAGE_BYTES), pagesOf(offset + data.byteLength)];
    await this.#writes.run(first, end, () => this.#write(offset, data, signal));
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    const end = offset + length;
    const [first, last] = [Math.floor(offset / PAGE_BYTES), pagesOf(end)];
    await this.#writes.run(first, last, async () => {
      const wholeFirst = pagesOf(offset);
      const wholeEnd = end === this.logicalBytes ? last : Math.floor(end / PAGE_BYTES);
      if (wholeFirst >= wholeEnd) return await this.#write(offset, new Uint8Array(length), signal);
      await this.#write(offset, new Uint8Array(wholeFirst * PAGE_BYTES - offset), signal);
      this.#pages.set(wholeFirst, wholeEnd, "zero");
      const rest = wholeEnd * PAGE_BYTES;
      await this.#write(rest, new Uint8Array(Math.max(0, end - rest)), signal);
    });
  }

  async flush(): Promise<void> {
    await this.#writes.idle();
  }

  /** Writes that are under way end first. */
  async close(): Promise<void> {
    await this.#writes.idle();
    await this.#file.close();
  }

  /** With the pages locked. A page is whole in the file before it counts as written. */
  async #write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    if (data.byteLength === 0) return;
    const end = offset + data.byteLength;
    const [first, last] = [Math.floor(offset / PAGE_BYTES), pagesOf(end) - 1];
    if (offset % PAGE_BYTES !== 0) await this.#bringPage(first, signal);
    if (end % PAGE_BYTES !== 0 && end !== this.logicalBytes) await this.#bringPage(last, signal);
    // Errors keep their errno: clients learn that the disk is full.
    await writeFully(this.#file, offset, data);
    this.#pages.set(first, last + 1, "data");
  }

  /** Copies a page into the file of which only a part is written. */
  async #bringPage(page: number, signal: AbortSignal): Promise<void> {
    if (this.#pages.of(page) === "data") return;
    const offset = page * PAGE_BYTES;
    const content = new Uint8Array(Math.min(PAGE_BYTES, this.logicalBytes - offset));
    await this.readInto(offset, content, signal);
    await writeFully(this.#file, offset, content);
    this.#pages.set(page, page + 1, "data");
  }

  async #readFile(offset: number, into: Uint8Array): Promise<void> {
    if ((await readUpTo(this.#file, offset, into)) === into.byteLength) return;
    throw new SourceError(`${this.#path} was made shorter`, { context: { path: this.#path } });
  }
}
