import type { Bucket } from "./bucket.ts";
import { PROBE } from "./conditional-writes.ts";
import { decodeName } from "./object-name.ts";

/** An upload takes minutes at the very most; the rest is for clocks that disagree. */
const LONGEST_LIFE_MS = 24 * 60 * 60 * 1000;

/** Looked at in one start. */
const SOME = 100;

/**
 * Ends uploads below our prefix that killed processes left: their parts cost space and show in no listing. A courtesy:
 * it never fails, and what it did not come to the next start will.
 */
export async function endStaleUploads(bucket: Bucket, signal: AbortSignal): Promise<void> {
  try {
    const { Uploads = [] } = await bucket.call({ what: "list unfinished uploads", signal }, (client, options) =>
      client.listMultipartUploads(
        { Bucket: bucket.name, Prefix: bucket.prefix, MaxUploads: SOME, EncodingType: "url" },
        options,
      ),
    );
    for (const { Key, UploadId, Initiated } of Uploads) {
      const name = decodeName(Key ?? "");
      const age = Date.now() - (Initiated?.getTime() ?? Date.now());
      const isOurs = bucket.keyOf(name) !== undefined || name === bucket.prefix + PROBE;
      if (!isOurs || age < LONGEST_LIFE_MS) continue;
      await bucket.call({ what: `end the upload of ${name}`, signal }, (client, options) =>
        client.abortMultipartUpload({ Bucket: bucket.name, Key: name, UploadId }, options),
      );
    }
  } catch {
    signal.throwIfAborted();
  }
}
