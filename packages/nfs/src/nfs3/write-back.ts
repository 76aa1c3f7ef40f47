import { randomBytes } from "node:crypto";

import type { FileId, NfsFileSystem } from "../nfs-file-system.ts";

const VERIFIER_BYTES = 8;

/** One file's syncs: the one that runs, and the one that those who came later wait for. */
interface Syncing {
  readonly running: Promise<void>;
  next: Promise<void> | undefined;
}

/**
 * Makes writes durable, many with one sync: writes that come while a sync runs share the next one. The verifier says
 * for how long unsynced writes are kept. It changes with the process, and when a sync failed, because the system may
 * have dropped what it could not write: clients then write again what they had not committed.
 */
export class WriteBack {
  readonly #files: Pick<NfsFileSystem, "sync">;
  readonly #syncing = new Map<bigint, Syncing>();
  #verifier = randomBytes(VERIFIER_BYTES);

  constructor(files: Pick<NfsFileSystem, "sync">) {
    this.#files = files;
  }

  /** Ask before the write, or before the sync: a later failure must show. */
  get verifier(): Buffer {
    return this.#verifier;
  }

  /** Resolves when all writes that ended before the call are durable. */
  async sync(id: FileId): Promise<void> {
    const known = this.#syncing.get(id.number);
    if (known === undefined) return await this.#start(id);
    known.next ??= known.running.catch(() => undefined).then(() => this.#start(id));
    await known.next;
  }

  async #start(id: FileId): Promise<void> {
    const syncing: Syncing = { running: this.#run(id), next: undefined };
    this.#syncing.set(id.number, syncing);
    try {
      await syncing.running;
    } finally {
      if (syncing.next === undefined) this.#syncing.delete(id.number);
    }
  }

  async #run(id: FileId): Promise<void> {
    try {
      await this.#files.sync(id);
    } catch (error) {
      this.#verifier = randomBytes(VERIFIER_BYTES);
      throw error;
    }
  }
}
