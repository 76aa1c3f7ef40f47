import type { Bucket } from "./bucket.ts";
import { PROBE } from "./conditional-writes.ts";
import { decodeName } from "./object-name.ts";

/** An upload takes minutes at most; the rest is tolerance for clocks that disagree. */
const LONGEST_LIFE_MS = 24 * 60 * 60 * 1000;

/** Uploads inspected at one start. */
const SOME = 100;

/**
 * Ends uploads below our prefix that killed processes left: their parts cost space and show in no listing. Best effort:
 * it never fails, and the next start continues.
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
