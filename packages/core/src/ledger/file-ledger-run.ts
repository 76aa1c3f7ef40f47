import { randomUUID } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";

import {
  type LedgerEntry,
  type LedgerHandle,
  type NewLedgerEntry,
  processIdentity,
  syncDirectory,
} from "@ovault/contract";
import { appendRecord, asLedgerError, removeLedgerFile } from "./ledger-file.ts";
import type { LedgerRun, LedgerRunOptions } from "./ledger.ts";
import { amend, type LedgerRecord } from "./records.ts";

export interface FileLedgerRunOptions extends LedgerRunOptions {
  /** Reads what dead runs left in the other files. */
  readonly abandoned: () => Promise<readonly LedgerEntry[]>;
}

/** The ledger of one living run: a file of its own. */
export class FileLedgerRun implements LedgerRun {
  readonly runId: string;
  readonly #options: LedgerRunOptions;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #abandoned: () => Promise<readonly LedgerEntry[]>;
  readonly #open = new Map<string, LedgerEntry>();

  private constructor(path: string, handle: FileHandle, { abandoned, ...options }: FileLedgerRunOptions) {
    this.runId = options.runId;
    this.#options = options;
    this.#path = path;
    this.#handle = handle;
    this.#abandoned = abandoned;
  }

  static async create(path: string, options: FileLedgerRunOptions): Promise<FileLedgerRun> {
    return await asLedgerError(path, async () => {
      const handle = await open(path, "ax", 0o600);
      try {
        await appendRecord(handle, { type: "run", version: 1, process: processIdentity() });
        await syncDirectory(dirname(path));
        return new FileLedgerRun(path, handle, options);
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  async open({ kind, title, detail }: NewLedgerEntry): Promise<LedgerHandle> {
    const { runId, manager, strategy } = this.#options;
    const { node } = processIdentity();
    const recordedAt = new Date().toISOString();
    let entry: LedgerEntry = { id: randomUUID(), runId, node, manager, strategy, kind, title, detail, recordedAt };
    const { id } = entry;
    await this.#append({ type: "opened", entry });
    this.#open.set(id, entry);
    return {
      get entry() {
        return entry;
      },
      amend: async (more) => {
        await this.#append({ type: "amended", id, detail: more });
        entry = amend(entry, more);
        this.#open.set(id, entry);
      },
      close: async () => {
        await this.#append({ type: "closed", id });
        this.#open.delete(id);
      },
    };
  }

  async outstanding(): Promise<readonly LedgerEntry[]> {
    return [...this.#open.values(), ...(await this.#abandoned())];
  }

  /** Removes the file if all entries are closed. */
  async end(): Promise<void> {
    const clean = this.#open.size === 0;
    try {
      if (!clean) await this.#append({ type: "ended" });
    } finally {
      await this.#handle.close();
    }
    if (clean) await removeLedgerFile(this.#path);
  }

  async #append(record: LedgerRecord): Promise<void> {
    await asLedgerError(this.#path, () => appendRecord(this.#handle, record));
  }
}
