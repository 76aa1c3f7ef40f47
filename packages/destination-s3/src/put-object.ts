import type { Bucket } from "./bucket.ts";
import { cutBefore } from "./cut-before.ts";
import { statusOf } from "./map-s3-error.ts";
import { assertEncrypted, type Upload } from "./upload.ts";

const PRECONDITION_FAILED = 412;

/** Stores an object by one request with its digest, which the service checks. "exists" only with `ifNoneMatch`. */
export async function putObject(bucket: Bucket, upload: Upload): Promise<"stored" | "exists"> {
  const { name, body, attributes, signal } = upload;
  const input = {
    Bucket: bucket.name,
    Key: name,
    ContentLength: body.bytes,
    ChecksumSHA256: await body.sha256(signal),
    ...attributes,
    ...conditionOf(upload),
  };
  return await unlessExists(upload, async () => {
    const answer = await cutBefore(
      () => body.isSent,
      signal,
      (cut) =>
        bucket.call({ what: `write ${name}`, signal: cut }, (client, options) =>
          client.putObject({ ...input, Body: body.stream() }, options),
        ),
    );
    assertEncrypted(upload, answer);
  });
}

export function conditionOf({ ifNoneMatch }: Upload): { readonly IfNoneMatch?: "*" } {
  return ifNoneMatch ? { IfNoneMatch: "*" } : {};
}

/** "stored", or "exists" when the service refused the condition. */
export async function unlessExists({ ifNoneMatch }: Upload, store: () => Promise<void>): Promise<"stored" | "exists"> {
  try {
    await store();
    return "stored";
  } catch (error) {
    if (ifNoneMatch && statusOf(error) === PRECONDITION_FAILED) return "exists";
    throw error;
  }
}
