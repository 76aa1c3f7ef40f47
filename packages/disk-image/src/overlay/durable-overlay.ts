import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import { type Extent, IntegrityError, SourceError, syncDirectory, undefinedIfMissing } from "@ovault/contract";

import { imageFileError } from "../errors.ts";
import type { RangedDisk, WritableRangedDisk } from "../ranged-disk.ts";
import { JOURNAL_HEADER_BYTES, noteEnd, readHeader, writeHeader } from "./journal-header.ts";
import { OverlayDisk } from "./overlay-disk.ts";
import type { OverlayFile } from "./overlay-file.ts";
import { PageJournal } from "./page-journal.ts";
import { pagesOf } from "./page-states.ts";

const DRAFT = "journal.new";
/** A journal is written anew when its records take more than this, and twice as much as after the last time. */
const REWRITE_BYTES = 16 * 1024 * 1024;

export interface DurableOverlayOptions {
  readonly base: RangedDisk;
  /** Names the disk of the point for ever: see `OverlaidDisk`. */
  readonly name: string;
  /** Of this overlay alone; it exists. Holds the files `data` and `journal`. */
  readonly directory: string;
}

/** What an overlay needs of a directory. Tests cut the power of it. */
export interface OverlayDirectory {
  /** @throws the operating system's error, ENOENT among them when it must exist */
  open(name: string, mode: "existing" | "new"): Promise<OverlayFile>;
  /** Durable when it returns, and with it the names of all files. */
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  readonly path: string;
  readonly rewriteBytes: number;
}

/**
 * What is written to a disk that itself never changes, durable: what was written before a `flush` that has returned is
 * there when the overlay is opened again, whatever happened in between. Later writes may be there, in whole or in
 * sectors, as on any disk.
 *
 * `flush` makes the pages durable, then the journal that names them. Flushes at the same time share one. When the
 * operating system cannot make something durable, it may have dropped it: every later call fails, and what was durable is
 * there when the overlay is opened again.
 */
export class DurableOverlay implements WritableRangedDisk {
  readonly logicalBytes: number;
  readonly #disk: OverlayDisk;
  readonly #directory: OverlayDirectory;
  readonly #name: string;
  readonly #data: OverlayFile;
  readonly #pages: PageJournal;
  #journal: OverlayFile;
  #rewrittenBytes: number;
  #turn = 0;
  #failure: { readonly error: unknown } | undefined;
  #running: Promise<void> = Promise.resolve();
  /** Begins when the running flush has ended. */
  #next: Promise<void> | undefined;

  /** Opens the overlay in a directory, or makes it. @throws IntegrityError for a damaged one, or one of another disk */
  static async open({ base, name, directory }: DurableOverlayOptions): Promise<DurableOverlay> {
    return await DurableOverlay.openIn(realDirectory(directory), { base, name });
  }

  /** As `open`, for tests. */
  static async openIn(
    directory: OverlayDirectory,
    disk: Pick<DurableOverlayOptions, "base" | "name">,
  ): Promise<DurableOverlay> {
    let files: OverlayFiles | undefined;
    try {
      files = (await openExisting(directory)) ?? (await make(directory, disk));
      return await DurableOverlay.#read(directory, disk, files);
    } catch (error) {
      await files?.data.close().catch(() => undefined);
      await files?.journal.close().catch(() => undefined);
      throw imageFileError(error, directory.path);
    }
  }

  static async #read(
    directory: OverlayDirectory,
    { base, name }: Pick<DurableOverlayOptions, "base" | "name">,
    { data, journal }: OverlayFiles,
  ): Promise<DurableOverlay> {
    const path = join(directory.path, "journal");
    const header = await readHeader(journal, path);
    if (header.name !== name || header.logicalBytes !== base.logicalBytes) {
      throw new IntegrityError(`${path} is of another disk: ${header.name}, ${header.logicalBytes} bytes`, {
        context: { path, name, logicalBytes: base.logicalBytes },
      });
    }
    const pages = await PageJournal.read({
      file: journal,
      path,
      pages: pagesOf(base.logicalBytes),
      start: JOURNAL_HEADER_BYTES,
      committedBytes: header.committedBytes,
    });
    return new DurableOverlay({ directory, name, base, data, journal, pages });
  }

  private constructor(
    parts: OverlayFiles &
      Pick<DurableOverlayOptions, "base" | "name"> & {
        readonly directory: OverlayDirectory;
        readonly pages: PageJournal;
      },
  ) {
    const { directory, name, base, data, journal, pages } = parts;
    this.logicalBytes = base.logicalBytes;
    this.#disk = new OverlayDisk({ base, file: data, path: join(directory.path, "data"), pages });
    this.#directory = directory;
    this.#name = name;
    this.#data = data;
    this.#journal = journal;
    this.#pages = pages;
    this.#rewrittenBytes = pages.end - JOURNAL_HEADER_BYTES;
  }

  async readInto(offset: number, buffer: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#assertSound();
    await this.#disk.readInto(offset, buffer, signal);
  }

  extentsOf(range: { readonly offset: number; readonly length: number }, signal: AbortSignal): AsyncIterable<Extent> {
    return this.#disk.extentsOf(range, signal);
  }

  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#assertSound();
    await this.#disk.write(offset, data, signal);
  }

  async zero(offset: number, length: number, signal: AbortSignal): Promise<void> {
    this.#assertSound();
    await this.#disk.zero(offset, length, signal);
  }

  async flush(): Promise<void> {
    if (this.#next === undefined) {
      const running = this.#running;
      const next = running
        .catch(() => undefined)
        .then(async () => {
          this.#next = undefined;
          await this.#flush();
        });
      this.#next = next;
      this.#running = next;
    }
    await this.#next;
  }

  /** Makes everything durable. Closes the files even when that fails. */
  async close(): Promise<void> {
    try {
      await this.flush();
      await this.#journal.datasync();
    } finally {
      await this.#disk.close();
      await this.#journal.close();
    }
  }

  async #flush(): Promise<void> {
    this.#assertSound();
    const { end } = this.#pages;
    const records = end - JOURNAL_HEADER_BYTES;
    if (records > this.#directory.rewriteBytes && records > 2 * this.#rewrittenBytes) return await this.#rewrite();
    await this.#pages.sync({
      syncData: () => this.#datasync(this.#data),
      syncJournal: () => this.#datasync(this.#journal),
    });
    if (this.#pages.end === end) return;
    this.#turn += 1;
    await noteEnd(this.#journal, this.#pages.end, this.#turn).catch(() => undefined);
  }

  /** Leaves the journal as it was when it fails. */
  async #rewrite(): Promise<void> {
    const old = this.#journal;
    await this.#directory.remove(DRAFT);
    const file = await this.#directory.open(DRAFT, "new");
    try {
      await writeHeader(file, { name: this.#name, logicalBytes: this.logicalBytes });
      await this.#pages.rewrite(file, JOURNAL_HEADER_BYTES, {
        syncData: () => this.#datasync(this.#data),
        publish: async (end) => {
          await noteEnd(file, end, 0);
          await this.#datasync(file);
          await this.#directory.rename(DRAFT, "journal");
        },
      });
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    this.#journal = file;
    this.#rewrittenBytes = this.#pages.end - JOURNAL_HEADER_BYTES;
    await old.close();
  }

  async #datasync(file: OverlayFile): Promise<void> {
    try {
      await file.datasync();
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
  }

  #assertSound(): void {
    if (this.#failure === undefined) return;
    const { path } = this.#directory;
    throw new SourceError(`${path} could not be made durable`, { cause: this.#failure.error, context: { path } });
  }
}

interface OverlayFiles {
  readonly data: OverlayFile;
  readonly journal: OverlayFile;
}

/** `undefined` when nothing has ever been durable here: there is no journal. */
async function openExisting(directory: OverlayDirectory): Promise<OverlayFiles | undefined> {
  const journal = await directory.open("journal", "existing").catch(undefinedIfMissing);
  if (journal === undefined) return undefined;
  const data = await directory.open("data", "existing").catch(undefinedIfMissing);
  if (data !== undefined) return { data, journal };
  await journal.close();
  const { path } = directory;
  throw new IntegrityError(`${join(path, "data")} is gone: what was written to the disk is lost`, {
    context: { path },
  });
}

async function make(
  directory: OverlayDirectory,
  { base, name }: Pick<DurableOverlayOptions, "base" | "name">,
): Promise<OverlayFiles> {
  await directory.remove("data");
  await directory.remove(DRAFT);
  const data = await directory.open("data", "new");
  const journal = await directory.open(DRAFT, "new");
  await writeHeader(journal, { name, logicalBytes: base.logicalBytes });
  await journal.datasync();
  // Makes the name of the data durable too.
  await directory.rename(DRAFT, "journal");
  return { data, journal };
}

function realDirectory(path: string): OverlayDirectory {
  return {
    path,
    rewriteBytes: REWRITE_BYTES,
    open: (name, mode) => open(join(path, name), mode === "new" ? "wx+" : "r+", 0o600),
    rename: async (from, to) => {
      await rename(join(path, from), join(path, to));
      await syncDirectory(dirname(join(path, to)));
    },
    remove: (name) => rm(join(path, name), { force: true }),
  };
}
