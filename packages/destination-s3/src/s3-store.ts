import {
  assertKeyPrefix,
  type CallOptions,
  type GetOptions,
  type ObjectInfo,
  type ObjectKey,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
  type RetentionControl,
  type StoreCapabilities,
  StoreError,
} from "@ovault/contract";

import { Body } from "./body.ts";
import type { Bucket } from "./bucket.ts";
import type { ConditionalWrites } from "./conditional-writes.ts";
import type { Encryption } from "./encryption.ts";
import { listObjects } from "./list-objects.ts";
import { codeOf, statusOf } from "./map-s3-error.ts";
import { ObjectLock } from "./object-lock.ts";
import type { S3Options } from "./options.ts";
import { MULTIPART_FROM_BYTES, putMultipart } from "./put-multipart.ts";
import { putObject } from "./put-object.ts";
import { endsEarly, readObject } from "./read-object.ts";
import { removeObject } from "./remove-object.ts";
import { attributesOf, type Upload } from "./upload.ts";

const RANGE_NOT_SATISFIABLE = 416;

export interface S3StoreParts {
  readonly options: S3Options;
  readonly bucket: Bucket;
  readonly encryption: Encryption;
  readonly conditionalPut: boolean;
  readonly writes: ConditionalWrites;
}

/**
 * A bucket of an S3 service, or the part of it below a prefix, as an object store. The object `a/b` is the object
 * `PREFIX/a/b`.
 *
 * An aborted call ends at once; only a put whose last byte has been sent waits some seconds for the answer: without it
 * the object would remain unknown.
 */
export class S3Store implements ObjectStore {
  readonly capabilities: StoreCapabilities;
  readonly retention?: RetentionControl;
  readonly #parts: S3StoreParts;

  constructor(parts: S3StoreParts) {
    const { bucket, conditionalPut, options } = parts;
    this.#parts = parts;
    this.capabilities = { conditionalPut };
    if (options.objectLock !== undefined) this.retention = new ObjectLock(bucket, options.objectLock);
  }

  async put(key: ObjectKey, parts: readonly Uint8Array[], options: PutOptions): Promise<"stored" | "exists"> {
    const { ifAbsent, retainUntil, signal } = options;
    const { bucket, encryption } = this.#parts;
    const ifNoneMatch = ifAbsent && this.capabilities.conditionalPut;
    const name = bucket.nameOf(key);
    if (ifAbsent && !ifNoneMatch && (await this.#isThere(key, signal))) return "exists";
    const body = new Body(parts);
    const attributes = attributesOf(this.#parts.options, encryption, { bytes: body.bytes, retainUntil });
    const upload = { name, body, attributes, ifNoneMatch, signal };
    return await ((await this.#goesInParts(upload)) ? putMultipart(bucket, upload) : putObject(bucket, upload));
  }

  async get(key: ObjectKey, { range, signal }: GetOptions): Promise<Uint8Array> {
    const { bucket, encryption } = this.#parts;
    if (range?.length === 0) return await this.#emptyRange(key, range.offset, signal);
    try {
      return await readObject(bucket, { key, range, encryption: encryption.read, signal });
    } catch (error) {
      if (range !== undefined && statusOf(error) === RANGE_NOT_SATISFIABLE) {
        const { bytes } = await this.stat(key, { signal });
        throw endsEarly(key, bytes, range.offset + range.length);
      }
      throw await this.#readError(error, key, signal);
    }
  }

  async stat(key: ObjectKey, { signal }: CallOptions): Promise<ObjectInfo> {
    try {
      return await this.#look(key, signal);
    } catch (error) {
      throw await this.#readError(error, key, signal);
    }
  }

  async *list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    assertKeyPrefix(prefix);
    yield* listObjects(this.#parts.bucket, prefix, signal);
  }

  async delete(key: ObjectKey, { signal }: CallOptions): Promise<void> {
    const { bucket } = this.#parts;
    await removeObject(bucket, bucket.nameOf(key), signal);
  }

  async close(): Promise<void> {
    this.#parts.bucket.close();
  }

  /** Only where a multipart upload keeps condition and object lock. */
  async #goesInParts({ body, attributes, ifNoneMatch, signal }: Upload): Promise<boolean> {
    if (body.bytes < MULTIPART_FROM_BYTES) return false;
    // Ceph 16 drops the lock of a multipart upload.
    if (attributes.ObjectLockMode !== undefined) return false;
    return !ifNoneMatch || (await this.#parts.writes.onComplete(signal));
  }

  async #look(key: ObjectKey, signal: AbortSignal): Promise<ObjectInfo> {
    const { bucket, encryption } = this.#parts;
    const name = bucket.nameOf(key);
    const { ContentLength } = await bucket.call({ what: `look at ${name}`, signal }, (client, options) =>
      client.headObject({ Bucket: bucket.name, Key: name, ...encryption.read }, options),
    );
    if (ContentLength === undefined) throw new StoreError(`the service does not tell the size of ${name}`);
    return { key, bytes: ContentLength };
  }

  async #isThere(key: ObjectKey, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#look(key, signal);
      return true;
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return false;
      throw error;
    }
  }

  /** HTTP has no empty range. */
  async #emptyRange(key: ObjectKey, offset: number, signal: AbortSignal): Promise<Uint8Array> {
    const { bytes } = await this.stat(key, { signal });
    if (offset > bytes) throw endsEarly(key, bytes, offset);
    return new Uint8Array(0);
  }

  /** A "not found" without a code, as every HEAD answers it, may also mean the bucket. */
  async #readError(error: unknown, key: ObjectKey, signal: AbortSignal): Promise<unknown> {
    if (!(error instanceof ObjectNotFoundError)) return error;
    const { bucket } = this.#parts;
    if (codeOf(error) === "") await bucket.assertThere(signal);
    return new ObjectNotFoundError(`no object ${bucket.nameOf(key)} in ${bucket.place}`, {
      cause: error,
      context: { key },
    });
  }
}
