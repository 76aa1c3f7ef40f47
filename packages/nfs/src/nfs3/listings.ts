import { createHash } from "node:crypto";

import type { DirectoryEntry, FileAttributes, NfsFileSystem } from "../nfs-file-system.ts";

/** Cookies of `.` and `..`; those of names are larger. */
const [SELF, PARENT] = [1n, 2n];
const MOST_LISTINGS = 16;
const KEPT_MS = 10_000;

export interface NumberedEntry extends DirectoryEntry {
  /** Where the next page starts when this entry ends one. */
  readonly cookie: bigint;
}

interface Listing {
  readonly entries: readonly NumberedEntry[];
  readonly changedAt: FileAttributes["changedAt"];
  readonly takenAt: number;
}

/**
 * Directories in pages. A name's place depends on the name alone, so that names that come and go between two pages
 * neither hide nor repeat others: entries are in the order of a digest, which is their cookie as well. A directory is
 * read for its first page, and kept a while for the others if it stays as it is.
 */
export class Listings {
  readonly #files: Pick<NfsFileSystem, "list" | "parent">;
  /** By number of the directory, oldest first. */
  readonly #kept = new Map<bigint, Listing>();

  constructor(files: Pick<NfsFileSystem, "list" | "parent">) {
    this.#files = files;
  }

  /** @param cookie where the last page ended; 0: from the start */
  async after(directory: FileAttributes, cookie: bigint): Promise<readonly NumberedEntry[]> {
    const kept = cookie === 0n ? undefined : this.#keptFor(directory);
    const entries = kept ?? (await this.#read(directory));
    return entries.filter((entry) => entry.cookie > cookie);
  }

  #keptFor({ id, changedAt }: FileAttributes): readonly NumberedEntry[] | undefined {
    const kept = this.#kept.get(id.number);
    if (kept === undefined || performance.now() - kept.takenAt > KEPT_MS) return undefined;
    const isUnchanged =
      kept.changedAt.seconds === changedAt.seconds && kept.changedAt.nanoseconds === changedAt.nanoseconds;
    return isUnchanged ? kept.entries : undefined;
  }

  async #read({ id, changedAt }: FileAttributes): Promise<readonly NumberedEntry[]> {
    const own = [
      { name: ".", id, cookie: SELF },
      { name: "..", id: await this.#files.parent(id), cookie: PARENT },
    ];
    const named = (await this.#files.list(id)).map((entry) => ({ ...entry, cookie: cookieOf(entry.name) }));
    const entries = [...own, ...named.toSorted((a, b) => (a.cookie < b.cookie ? -1 : 1))];
    this.#kept.delete(id.number);
    this.#kept.set(id.number, { entries, changedAt, takenAt: performance.now() });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_LISTINGS) break;
      this.#kept.delete(oldest);
    }
    return entries;
  }
}

/** Positive as a signed number, which clients hand on as an offset. */
function cookieOf(name: string): bigint {
  const digest = createHash("sha1").update(name).digest().readBigUInt64BE(0) >> 1n;
  return digest > PARENT ? digest : digest + PARENT + 1n;
}
