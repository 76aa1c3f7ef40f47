import type { CompletedPart } from "@aws-sdk/client-s3";

import { inLanes } from "@ovault/contract";

import type { Bucket } from "./bucket.ts";
import { cutBefore, GRACE_MS } from "./cut-before.ts";
import { conditionOf, unlessExists } from "./put-object.ts";
import type { Upload } from "./upload.ts";

/** Smaller objects, all packs of the usual size among them, take one request each; README.md has the measurements. */
export const MULTIPART_FROM_BYTES = 32 * 1024 * 1024;

/** Large enough that round trips cost little beside the bytes; the minimum of services is 5 MiB. */
const PART_BYTES = 16 * 1024 * 1024;

/** Concurrent parts of one object. */
const LANES = 4;

/** An upload in the bucket, as the SDK names it. */
interface Target {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string | undefined;
}

const isSent = (): boolean => true;

/**
 * Stores an object in parts that are sent concurrently; it appears when all have arrived. Ends the upload on any
 * failure: its parts would cost space and show in no listing.
 */
export async function putMultipart(bucket: Bucket, upload: Upload): Promise<"stored" | "exists"> {
  const target = await beginUpload(bucket, upload);
  let answer: "stored" | "exists" | undefined;
  try {
    const parts = await sendParts(bucket, upload, target);
    answer = await unlessExists(upload, () => completeUpload(bucket, upload, { target, parts }));
    return answer;
  } finally {
    if (answer !== "stored") await endUpload(bucket, target);
  }
}

async function beginUpload(bucket: Bucket, upload: Upload): Promise<Target> {
  const { name, attributes, signal } = upload;
  const target = { Bucket: bucket.name, Key: name };
  // Not cut at once: an upload whose id is unknown could not be ended.
  const begun = await cutBefore(isSent, signal, (cut) =>
    bucket.call({ what: `begin the upload of ${name}`, signal: cut }, (client, options) =>
      client.createMultipartUpload({ ...target, ChecksumAlgorithm: "SHA256", ...attributes }, options),
    ),
  );
  return { ...target, UploadId: begun.UploadId };
}

async function sendParts(bucket: Bucket, upload: Upload, target: Target): Promise<readonly CompletedPart[]> {
  const { body, signal } = upload;
  const numbers = Array.from({ length: Math.ceil(body.bytes / PART_BYTES) }, (_, i) => i + 1);
  const sent: CompletedPart[] = [];
  const send = async (number: number, lane: AbortSignal): Promise<void> => {
    sent.push(await sendPart(bucket, { ...upload, signal: lane }, { target, number }));
  };
  await inLanes(numbers, LANES, send, signal);
  return sent.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
}

async function sendPart(
  bucket: Bucket,
  { name, body, attributes, signal }: Upload,
  { target, number }: { readonly target: Target; readonly number: number },
): Promise<CompletedPart> {
  const part = body.slice((number - 1) * PART_BYTES, PART_BYTES);
  const { SSECustomerAlgorithm, SSECustomerKey } = attributes;
  const digest = await part.sha256(signal);
  const { ETag } = await bucket.call({ what: `write part ${number} of ${name}`, signal }, (client, options) =>
    client.uploadPart(
      {
        ...target,
        PartNumber: number,
        Body: part.stream(),
        ContentLength: part.bytes,
        ChecksumSHA256: digest,
        SSECustomerAlgorithm,
        SSECustomerKey,
      },
      options,
    ),
  );
  return { PartNumber: number, ETag, ChecksumSHA256: digest };
}

async function completeUpload(
  bucket: Bucket,
  upload: Upload,
  { target, parts }: { readonly target: Target; readonly parts: readonly CompletedPart[] },
): Promise<void> {
  const { name, attributes, signal } = upload;
  const { SSECustomerAlgorithm, SSECustomerKey } = attributes;
  await cutBefore(isSent, signal, (cut) =>
    bucket.call({ what: `complete the upload of ${name}`, signal: cut }, (client, options) =>
      client.completeMultipartUpload(
        {
          ...target,
          MultipartUpload: { Parts: [...parts] },
          SSECustomerAlgorithm,
          SSECustomerKey,
          ...conditionOf(upload),
        },
        options,
      ),
    ),
  );
}

/** Best effort, and quick: a store that opens a day later ends what remains. */
async function endUpload(bucket: Bucket, target: Target): Promise<void> {
  const call = { what: "end an upload", signal: AbortSignal.timeout(GRACE_MS) };
  await bucket.call(call, (client, options) => client.abortMultipartUpload(target, options)).catch(() => undefined);
}
