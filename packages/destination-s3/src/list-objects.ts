import { type ObjectInfo, StoreError } from "@ovault/contract";

import type { Bucket } from "./bucket.ts";
import { decodeName } from "./object-name.ts";

/**
 * Our objects whose keys begin with `prefix`, in ascending order of key, page by page. Skips other names.
 * @throws StoreError when the service lists out of order, which also ends a listing that goes round in circles.
 */
export async function* listObjects(bucket: Bucket, prefix: string, signal: AbortSignal): AsyncGenerator<ObjectInfo> {
  let last = "";
  let token: string | undefined;
  do {
    const page = await bucket.call({ what: `list ${bucket.prefix}${prefix}`, signal }, (client, options) =>
      client.listObjectsV2(
        {
          Bucket: bucket.name,
          Prefix: bucket.prefix + prefix,
          ContinuationToken: token,
          // Foreign names may contain characters that XML cannot express.
          EncodingType: "url",
        },
        options,
      ),
    );
    for (const { Key: name = "", Size: bytes } of page.Contents ?? []) {
      signal.throwIfAborted();
      const key = bucket.keyOf(decodeName(name));
      if (key === undefined) continue;
      if (key <= last || bytes === undefined) throw unreadable(bucket, `${key} after ${last}`);
      last = key;
      yield { key, bytes };
    }
    const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    if (page.IsTruncated === true && (next === undefined || next === token))
      throw unreadable(bucket, "it does not go on");
    token = next;
  } while (token !== undefined);
}

function unreadable(bucket: Bucket, reason: string): StoreError {
  return new StoreError(`cannot make sense of the listing of ${bucket.place}: ${reason}`, {
    hint: "The service does not list as S3 does, and cannot hold a repository.",
  });
}
