import type { AttachRequest, Attachment } from "./attachment.ts";
import type { Attachments } from "./attachments.ts";

/** A device that is there from the first `open` to `close`. */
export interface DeviceOnDemand {
  open(signal: AbortSignal): Promise<Pick<Attachment, "device" | "file">>;
  close(): Promise<void>;
}

/** A disk that is attached when it is needed first. */
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

  /** All who ask get the same. */
  async open(signal: AbortSignal): Promise<Attachment> {
    signal.throwIfAborted();
    this.#attachment ??= this.#attachments.open(this.#request, signal);
    return await this.#attachment;
  }

  /** Once nobody uses it any more. Never throws. */
  async close(): Promise<void> {
    const attachment = await this.#attachment?.catch(() => undefined);
    this.#attachment = undefined;
    if (attachment !== undefined) await this.#attachments.release(attachment);
  }
}
