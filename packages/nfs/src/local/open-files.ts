import type { FileHandle } from "node:fs/promises";

import type { FileId } from "../nfs-file-system.ts";

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  users: number;
  /** Closed when the last user is done. */
  isDropped: boolean;
}

/** Keeps the files that are read and written open, as many as `most` that are not in use at the moment. */
export class OpenFiles {
  readonly #most: number;
  readonly #open: (id: FileId) => Promise<FileHandle>;
  /** Least recently used first. */
  readonly #files = new Map<string, OpenFile>();

  constructor(most: number, open: (id: FileId) => Promise<FileHandle>) {
    this.#most = most;
    this.#open = open;
  }

  has(id: FileId): boolean {
    return this.#files.has(keyOf(id));
  }

  /** The file stays open for as long as `work` lasts. */
  async use<T>(id: FileId, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const key = keyOf(id);
    const file = this.#files.get(key) ?? { handle: this.#open(id), users: 0, isDropped: false };
    this.#files.delete(key);
    this.#files.set(key, file);
    file.users += 1;
    try {
      return await work(await file.handle);
    } catch (error) {
      this.#forgetFailed(key, file);
      throw error;
    } finally {
      file.users -= 1;
      if (file.isDropped) await this.#closeUnused(file);
      this.#trim();
    }
  }

  /** Opens the file anew for the next user: it was removed, or may be opened in another way now. */
  drop(id: FileId): void {
    this.#drop(keyOf(id));
  }

  /** Never rejects. */
  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    await Promise.all(files.map((file) => this.#close(file)));
  }

  /** A file that could not be opened can be tried again. */
  #forgetFailed(key: string, file: OpenFile): void {
    file.handle.catch(() => {
      if (this.#files.get(key) === file) this.#files.delete(key);
    });
  }

  #drop(key: string): void {
    const file = this.#files.get(key);
    if (file === undefined) return;
    this.#files.delete(key);
    file.isDropped = true;
    void this.#closeUnused(file);
  }

  #trim(): void {
    for (const [key, file] of this.#files) {
      if (this.#files.size <= this.#most) return;
      if (file.users === 0) this.#drop(key);
    }
  }

  async #closeUnused(file: OpenFile): Promise<void> {
    if (file.users === 0) await this.#close(file);
  }

  async #close(file: OpenFile): Promise<void> {
    await file.handle.then((handle) => handle.close()).catch(() => undefined);
  }
}

function keyOf({ number, generation }: FileId): string {
  return `${number}/${generation}`;
}
