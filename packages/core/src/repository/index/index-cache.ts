import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, systemErrorCode } from "@ovault/contract";
import { ChunkIndex } from "./chunk-index.ts";
import { readIndexCache, writeIndexCache, type KnownIndex } from "./index-cache-format.ts";
import { ENTRY_BYTES } from "../packs/pack-entries.ts";

/** A new state is written when reading the index objects that it saves costs more than this part of writing it. */
const WORTH = 1 / 8;
/** The cost of one more request to a store, as bytes that could be read instead. */
const REQUEST_BYTES = 1024 * 1024;
/** With more than this part of the packs gone, the next opening had better begin anew. */
const MOST_GONE = 1 / 4;
/** A draft not written to for this long belongs to a process that died. */
const STALE_MS = 60 * 60 * 1000;
const DRAFT = ".draft";

/**
 * Caches the content of index objects on the local disk, one file per repository, so that opening one reads only new
 * objects. It saves time and is never needed: if a file is missing or wrong in any way, the repository is opened
 * without it. Several processes may use one directory. The files hold only names of chunks and packs.
 */
export class IndexCache {
  readonly #directory: string;
  readonly #note: (text: string) => void;
  /** What the files hold, by repository, as far as this process knows. */
  readonly #kept = new Map<string, { readonly size: number; readonly objects: ReadonlySet<string> }>();

  /** Makes the directory when it is needed. Calls `note` when a file could not be used or written, with the reason. */
  constructor(directory: string, note: (text: string) => void = () => undefined) {
    this.#directory = directory;
    this.#note = note;
  }

  /**
   * What was known of this repository when it was last kept, if the file is usable. Rejects only with the signal's
   * reason.
   */
  async load(repository: string, signal: AbortSignal): Promise<KnownIndex | undefined> {
    try {
      const known = await this.#read(repository, signal);
      const { index, loaded } = known;
      // A pack that no index object lists will be found in the store, or was pruned since.
      for (let pack = 0; pack < index.packs.length; pack += 1) if (!loaded.lists(pack)) index.packs.drop(pack);
      index.condemn(new Set());
      this.#remember(repository, known);
      return known;
    } catch (error) {
      signal.throwIfAborted();
      if (systemErrorCode(error) !== "ENOENT") this.#note(`the index cache cannot be used: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Writes what is known if enough of it is new. It must not change before this resolves. Never rejects. */
  async keep(repository: string, known: KnownIndex): Promise<void> {
    try {
      const { packs } = known.index;
      if (packs.countGone() > packs.length * MOST_GONE) await this.#remove(repository);
      else if (this.#isWorthIt(repository, known)) await this.#write(repository, known);
    } catch (error) {
      this.#note(`the index cache was not written: ${messageOf(error)}`);
    }
  }

  async #read(repository: string, signal: AbortSignal): Promise<KnownIndex> {
    const file = await open(this.#fileOf(repository));
    try {
      return await readIndexCache(file, repository, signal);
    } finally {
      await file.close();
    }
  }

  async #write(repository: string, known: KnownIndex): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await this.#removeStaleDrafts();
    const draft = `${this.#fileOf(repository)}.${randomUUID()}${DRAFT}`;
    try {
      const file = await open(draft, "wx", 0o600);
      try {
        await writeIndexCache(file, repository, known);
      } finally {
        await file.close();
      }
      // Not flushed: what a power cut leaves of it fails its proof.
      await rename(draft, this.#fileOf(repository));
      this.#remember(repository, known);
    } finally {
      await rm(draft, { force: true });
    }
  }

  async #remove(repository: string): Promise<void> {
    await rm(this.#fileOf(repository), { force: true });
    this.#kept.delete(repository);
  }

  async #removeStaleDrafts(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (!name.endsWith(DRAFT)) continue;
      const path = join(this.#directory, name);
      // A draft that is gone was finished.
      const written = await stat(path).catch(() => undefined);
      if (written !== undefined && Date.now() - written.mtimeMs > STALE_MS) await rm(path, { force: true });
    }
  }

  #isWorthIt(repository: string, { index, loaded }: KnownIndex): boolean {
    const kept = this.#kept.get(repository);
    const objects = [...loaded.objects.keys()].filter((key) => kept?.objects.has(key) !== true).length;
    const records = index.size - (kept?.size ?? 0);
    return objects * REQUEST_BYTES + records * ENTRY_BYTES > ChunkIndex.bytesOf(index.shape) * WORTH;
  }

  #remember(repository: string, { index, loaded }: KnownIndex): void {
    this.#kept.set(repository, { size: index.size, objects: new Set(loaded.objects.keys()) });
  }

  #fileOf(repository: string): string {
    return join(this.#directory, repository);
  }
}
