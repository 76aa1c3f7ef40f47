import type { AttachRequest, Attachment } from "./attachment.ts";
import type { Attachments } from "./attachments.ts";

/** A device that exists from the first `open` to `close`. */
export interface DeviceOnDemand {
  open(signal: AbortSignal): Promise<Pick<Attachment, "device" | "file">>;
  close(): Promise<void>;
}

/** A disk that is attached on first use. */
export class AttachedDisk implements DeviceOnDemand {
  readonly #request: AttachRequest;
  readonly #attachments: Attachments;
  #attachment: Promise<Attachment> | undefined;

  constructor(request: AttachRequest, attachments: Attachments) {
    this.#request = request;
    this.#attachments = attachments;
  }

  get wasOpened(): boolean {
    return this.#attachment !== undefined;
  }

  /** Concurrent callers share one attachment. */
  async open(signal: AbortSignal): Promise<Attachment> {
    signal.throwIfAborted();
    this.#attachment ??= this.#attachments.open(this.#request, signal);
    return await this.#attachment;
  }

  /** Call after the last use. Never throws. */
  async close(): Promise<void> {
    const attachment = await this.#attachment?.catch(() => undefined);
    this.#attachment = undefined;
    if (attachment !== undefined) await this.#attachments.release(attachment);
  }
}
