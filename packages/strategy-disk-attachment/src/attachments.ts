import { CancelledError, Semaphore, settleAll } from "@ovault/contract";

import { Attachment, type AttachmentSite, type AttachRequest } from "./attachment.ts";

/** The disks that one run has attached to the proxy VM, up to a limit. */
export class Attachments {
  readonly #site: AttachmentSite;
  readonly #places: Semaphore;
  readonly #closing = new AbortController();
  readonly #opening = new Set<Promise<unknown>>();
  readonly #held = new Set<Attachment>();

  constructor(site: AttachmentSite, limit: number) {
    this.#site = site;
    this.#places = new Semaphore(limit);
  }

  /** Waits for a free place, then attaches the disk. */
  async open(request: AttachRequest, signal: AbortSignal): Promise<Attachment> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    await this.#places.acquire(either);
    const opening = Attachment.open(request, this.#site, either);
    const settled = opening.then(
      (attachment) => this.#held.add(attachment),
      () => this.#places.release(),
    );
    this.#opening.add(settled);
    try {
      return await opening;
    } finally {
      await settled;
      this.#opening.delete(settled);
    }
  }

  /** Makes room for the next disk. Never throws: `close` retries a disk that cannot be detached now. */
  async release(attachment: Attachment): Promise<void> {
    try {
      await attachment.close();
      this.#held.delete(attachment);
    } catch {
      // In the ledger, and still held.
    } finally {
      this.#places.release();
    }
  }

  /** Detaches all disks, and attaches no more. May be called again after it threw. */
  async close(): Promise<void> {
    this.#closing.abort(new CancelledError("the session was closed"));
    await Promise.all(this.#opening);
    await settleAll(
      [...this.#held].map(async (attachment) => {
        await attachment.close();
        this.#held.delete(attachment);
      }),
    );
  }
}
