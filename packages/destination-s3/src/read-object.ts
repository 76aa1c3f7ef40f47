import { Readable } from "node:stream";

import { type GetOptions, IntegrityError, type ObjectKey, StoreError } from "@ovault/contract";

import type { Bucket } from "./bucket.ts";
import type { Encryption } from "./encryption.ts";

/** The largest put; a larger foreign object under one of our names must not fill the memory. */
const LARGEST_OBJECT_BYTES = 128 * 1024 * 1024;

type Range = NonNullable<GetOptions["range"]>;

export interface Reading {
  readonly key: ObjectKey;
  /** At least one byte: HTTP has no empty range. */
  readonly range: Range | undefined;
  readonly encryption: Encryption["read"];
  readonly signal: AbortSignal;
}

/** The whole object or exactly the range. @throws ObjectNotFoundError; IntegrityError when the object is too short. */
export async function readObject(bucket: Bucket, { key, range, encryption, signal }: Reading): Promise<Uint8Array> {
  const name = bucket.nameOf(key);
  return await bucket.call({ what: `read ${name}`, signal }, async (client, options) => {
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    const { Body, ContentLength, ContentRange } = await client.getObject(
      { Bucket: bucket.name, Key: name, Range, ...encryption },
      options,
    );
    if (!(Body instanceof Readable)) throw new StoreError(`the service sent nothing for ${name}`);
    try {
      if (range !== undefined) assertSameRange(key, range, ContentRange);
      return await readBody(Body, range?.length ?? reasonable(key, ContentLength), key);
    } finally {
      Body.destroy();
    }
  });
}

function reasonable(key: ObjectKey, bytes: number | undefined): number {
  if (bytes === undefined) throw new StoreError(`the service sent ${key} without its size`, { context: { key } });
  if (bytes <= LARGEST_OBJECT_BYTES) return bytes;
  throw new IntegrityError(`${key} has ${bytes} bytes, more than any object of ovault`, { context: { key, bytes } });
}

/** Services cut a range at the end of the object, and some send the whole object instead. */
function assertSameRange(key: ObjectKey, { offset, length }: Range, answer: string | undefined): void {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer ?? "") ?? [];
  if (Number(first) === offset && Number(last) === offset + length - 1) return;
  if (total !== undefined && offset + length > Number(total)) throw endsEarly(key, Number(total), offset + length);
  throw new StoreError(`asked for a part of ${key}, the service sent another: ${answer ?? "all of it"}`, {
    context: { key, offset, length },
  });
}

async function readBody(body: Readable, length: number, key: ObjectKey): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array) || at + chunk.byteLength > length) break;
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  if (at !== length) throw endsEarly(key, at, length);
  return bytes;
}

export function endsEarly(key: ObjectKey, bytes: number, expected: number): IntegrityError {
  return new IntegrityError(`${key} ends at byte ${bytes}, expected ${expected} or more`, {
    context: { key, bytes, expected },
  });
}
