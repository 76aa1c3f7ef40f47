import { IntegrityError } from "@ovault/contract";

import { recordsOf, RecordWriter } from "./journal-records.ts";
import type { OverlayFile } from "./overlay-file.ts";
import { applyPayload, payloadsOfBits, payloadsOfRuns } from "./page-changes.ts";
import { type PageRun, type PageState, PageStates, type PageTable } from "./page-states.ts";

export interface PageJournalOptions {
  readonly file: OverlayFile;
  /** For texts of errors. */
  readonly path: string;
  /** Pages of the disk. */
  readonly pages: number;
  /** Where the first record begins, in bytes. */
  readonly start: number;
  /** Where the journal ended at some earlier time, in bytes. What is damaged before was acknowledged once. */
  readonly committedBytes: number;
}

/**
 * Which pages an overlay holds, durable by a journal: `sync` appends the changes since the last one. A power cut leaves at
 * most a torn record at the end, which was never acknowledged.
 */
export class PageJournal implements PageTable {
  readonly #states: PageStates;
  #writer: RecordWriter;
  /** Changes that are in no record. */
  #pending: PageRun[] = [];

  private constructor(states: PageStates, writer: RecordWriter) {
    this.#states = states;
    this.#writer = writer;
  }

  /** @throws IntegrityError when a record is damaged that was acknowledged */
  static async read({ file, path, pages, start, committedBytes }: PageJournalOptions): Promise<PageJournal> {
    const states = new PageStates(pages);
    let last = { number: 0n, end: start };
    for await (const { number, payload, end } of recordsOf(file, start)) {
      if (!applyPayload(states, payload)) break;
      last = { number, end };
    }
    if (last.end >= committedBytes) {
      // What is behind a torn record must not follow a new one of the same length.
      await file.truncate(last.end);
      await file.datasync();
      return new PageJournal(states, new RecordWriter(file, last));
    }
    throw new IntegrityError(`${path} is damaged at byte ${last.end}: what was written to the disk is lost`, {
      context: { path, offset: last.end, committedBytes },
      hint: "The disk of this node gave other bytes than were written: see the kernel log. The backup is not affected.",
    });
  }

  /** Where the last record ends, in bytes. */
  get end(): number {
    return this.#writer.end;
  }

  of(page: number): PageState {
    return this.#states.of(page);
  }

  runs(first: number, end: number): Iterable<PageRun> {
    return this.#states.runs(first, end);
  }

  set(first: number, end: number, state: PageState): void {
    for (const run of this.#states.runs(first, end)) if (run.state !== state) this.#note({ ...run, state });
    this.#states.set(first, end, state);
  }

  /**
   * Makes the changes so far durable, after the content of their pages. When it fails, the next call makes them durable.
   * One call of `sync` or `rewrite` at a time.
   */
  async sync({ syncData, syncJournal }: SyncSteps): Promise<void> {
    const changes = this.#pending;
    this.#pending = [];
    try {
      await syncData();
      if (changes.length === 0) return;
      for (const payload of payloadsOfRuns(changes)) await this.#writer.append(payload);
      await syncJournal();
    } catch (error) {
      this.#pending = [...changes, ...this.#pending];
      throw error;
    }
  }

  /**
   * Writes the states into another file, which takes the place of the journal when `publish` has made it durable under
   * the journal's name. Changes that come meanwhile are for the next `sync`.
   */
  async rewrite(file: OverlayFile, start: number, steps: RewriteSteps): Promise<void> {
    const bits = this.#states.bits.slice();
    const changes = this.#pending;
    this.#pending = [];
    try {
      await steps.syncData();
      const writer = new RecordWriter(file, { number: 0n, end: start });
      for (const payload of payloadsOfBits(bits)) await writer.append(payload);
      await steps.publish(writer.end);
      this.#writer = writer;
    } catch (error) {
      this.#pending = [...changes, ...this.#pending];
      throw error;
    }
  }

  #note(run: PageRun): void {
    const last = this.#pending.at(-1);
    const continues = last?.state === run.state && last.end === run.first;
    if (continues) this.#pending.splice(-1, 1, { ...last, end: run.end });
    else this.#pending.push(run);
  }
}

export interface SyncSteps {
  /** Makes the content of all pages that were written so far durable. */
  readonly syncData: () => Promise<void>;
  /** Makes the journal durable. */
  readonly syncJournal: () => Promise<void>;
}

export interface RewriteSteps extends Pick<SyncSteps, "syncData"> {
  /** Makes the file durable and gives it the journal's name. `end`: where its last record ends. */
  readonly publish: (end: number) => Promise<void>;
}
