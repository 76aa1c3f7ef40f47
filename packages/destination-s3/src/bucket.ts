import type { S3 } from "@aws-sdk/client-s3";

import { assertObjectKey, isObjectKey, type ObjectKey, unlessAborted } from "@ovault/contract";

import { mapS3Error } from "./map-s3-error.ts";
import type { S3Options } from "./options.ts";

export interface Call {
  /** The attempted action, to follow "cannot": "write packs/ab/abcd". */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** The part of a bucket below a prefix, and the only way to it: maps the service's errors to those of the contract. */
export class Bucket {
  readonly name: string;
  /** Empty, or ends in `/`. */
  readonly prefix: string;
  /** For messages, and to distinguish buckets: "s3://bucket at https://…". */
  readonly place: string;
  readonly #client: S3;

  constructor(client: S3, { bucket, prefix = "", endpoint = "AWS" }: S3Options) {
    this.#client = client;
    this.name = bucket;
    this.prefix = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
    this.place = `s3://${bucket} at ${endpoint}`;
  }

  /** Name in the bucket of the object with this key. @throws StoreError for an invalid key. */
  nameOf(key: ObjectKey): string {
    assertObjectKey(key);
    return this.prefix + key;
  }

  /** Inverse of `nameOf`; `undefined` for a name that is not one of our objects. */
  keyOf(name: string): ObjectKey | undefined {
    const key = name.slice(this.prefix.length);
    return name.startsWith(this.prefix) && isObjectKey(key) ? key : undefined;
  }

  async call<T>(
    { what, signal }: Call,
    request: (client: S3, options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    try {
      return await unlessAborted(request(this.#client, { abortSignal: signal }), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw mapS3Error(error, { what, place: this.place });
    }
  }

  /** @throws DestinationMissingError when the bucket does not exist; other errors as any call. */
  async assertThere(signal: AbortSignal): Promise<void> {
    await this.call({ what: "list objects", signal }, (client, options) =>
      client.listObjectsV2({ Bucket: this.name, Prefix: this.prefix, MaxKeys: 1 }, options),
    );
  }

  close(): void {
    this.#client.destroy();
  }
}
