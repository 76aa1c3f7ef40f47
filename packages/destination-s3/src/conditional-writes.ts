import { StorePermissionError } from "@ovault/contract";

import { Body } from "./body.ts";
import type { Bucket } from "./bucket.ts";
import { statusOf } from "./map-s3-error.ts";
import { putMultipart } from "./put-multipart.ts";
import { putObject } from "./put-object.ts";
import { removeObject } from "./remove-object.ts";
import type { ObjectAttributes, Upload } from "./upload.ts";

/** Lies beside the objects; `~` is in no key. Empty; stays where that saves the next start a request. */
export const PROBE = "~probe";

/** Statuses of services that reject a header they do not know instead of ignoring it. */
const NOT_UNDERSTOOD = new Set([400, 501]);

/** Results by bucket and kind of request, for the life of this process. */
const known = new Map<string, boolean>();

/**
 * Finds out by a trial whether the service honours `If-None-Match: *`: some services silently ignore it, some only
 * where the bucket has versions, some only for objects of several parts.
 */
export class ConditionalWrites {
  readonly #bucket: Bucket;
  readonly #name: string;
  readonly #attributes: ObjectAttributes;

  constructor(bucket: Bucket, attributes: ObjectAttributes) {
    this.#bucket = bucket;
    this.#name = bucket.prefix + PROBE;
    this.#attributes = attributes;
  }

  /** For an object put by one request. False when these credentials may not write at all. */
  async onPut(signal: AbortSignal): Promise<boolean> {
    return await this.#remembered("put", async () => {
      const put = (): Promise<"stored" | "exists"> => putObject(this.#bucket, this.#probe([], signal));
      if ((await put()) === "exists" || (await put()) === "exists") return true;
      // In a bucket with versions every start would leave two more.
      await removeObject(this.#bucket, this.#name, signal);
      return false;
    });
  }

  /** For the request that completes an object put in parts. */
  async onComplete(signal: AbortSignal): Promise<boolean> {
    return await this.#remembered("complete", async () => {
      await putObject(this.#bucket, this.#probe([], signal));
      return (await putMultipart(this.#bucket, this.#probe([new Uint8Array(1)], signal))) === "exists";
    });
  }

  #probe(parts: readonly Uint8Array[], signal: AbortSignal): Upload {
    const body = new Body(parts);
    return { name: this.#name, body, attributes: this.#attributes, ifNoneMatch: true, signal };
  }

  async #remembered(kind: string, find: () => Promise<boolean>): Promise<boolean> {
    const question = `${kind} ${this.#bucket.place}`;
    const answer = known.get(question) ?? (await find().catch(falseIfRefused));
    known.set(question, answer);
    return answer;
  }
}

function falseIfRefused(error: unknown): false {
  if (error instanceof StorePermissionError || NOT_UNDERSTOOD.has(statusOf(error) ?? 0)) return false;
  throw error;
}
