import type { CompletedPart } from "@aws-sdk/client-s3";

import { inLanes } from "@ovault/contract";

import type { Bucket } from "./bucket.ts";
import { cutBefore, GRACE_MS } from "./cut-before.ts";
import { conditionOf, unlessExists } from "./put-object.ts";
import type { Upload } from "./upload.ts";

/** Smaller objects, all packs of the usual size among them, are one request each: README.md says what was measured. */
export const MULTIPART_FROM_BYTES = 32 * 1024 * 1024;

/** Large enough for the answers to cost nothing beside the bytes; the least that services take is 5 MiB. */
const PART_BYTES = 16 * 1024 * 1024;

/** Parts of one object sent at once. */
const LANES = 4;

/** An upload in the bucket, as the SDK names it. */
interface Target {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string | undefined;
}

const isSent = (): boolean => true;

/**
 * Stores an object in parts that are sent side by side; it appears when all are there. Whatever fails, the upload is
 * ended: its parts would cost space and show in no listing.
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
  // Not cut at once: an upload whose answer nobody saw could not be ended.
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

/** As well as it can, and soon: what remains is ended when a store is opened a day later. */
async function endUpload(bucket: Bucket, target: Target): Promise<void> {
  const call = { what: "end an upload", signal: AbortSignal.timeout(GRACE_MS) };
  await bucket.call(call, (client, options) => client.abortMultipartUpload(target, options)).catch(() => undefined);
}
