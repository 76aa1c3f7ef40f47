import { StorePermissionError } from "@ovault/contract";

import type { Bucket } from "./bucket.ts";
import { statusOf } from "./map-s3-error.ts";

/** Statuses of services without versions. */
const UNKNOWN_TO_SERVICE = new Set([400, 404, 405, 501]);

const known = new WeakMap<Bucket, boolean>();

/** Whether a delete leaves an older version behind. Asks once; `true` when the credentials may not ask. */
export async function keepsVersions(bucket: Bucket, signal: AbortSignal): Promise<boolean> {
  const answer = known.get(bucket) ?? (await ask(bucket, signal));
  known.set(bucket, answer);
  return answer;
}

async function ask(bucket: Bucket, signal: AbortSignal): Promise<boolean> {
  try {
    const { Status } = await bucket.call({ what: "ask for versioning", signal }, (client, options) =>
      client.getBucketVersioning({ Bucket: bucket.name }, options),
    );
    return Status !== undefined;
  } catch (error) {
    if (error instanceof StorePermissionError) return true;
    if (UNKNOWN_TO_SERVICE.has(statusOf(error) ?? 0)) return false;
    throw error;
  }
}
