import { StoreError, StorePermissionError } from "@ovault/contract";

import type { Bucket } from "./bucket.ts";
import { statusOf } from "./map-s3-error.ts";

/** Statuses for a bucket without object lock, and of services without object lock. */
const WITHOUT = new Set([400, 404, 405, 501]);

/** @throws StoreError when the bucket has no object lock. Credentials that may not ask find out at the first put. */
export async function assertLocks(bucket: Bucket, signal: AbortSignal): Promise<void> {
  try {
    const { ObjectLockConfiguration: found } = await bucket.call(
      { what: "ask for object lock", signal },
      (client, options) => client.getObjectLockConfiguration({ Bucket: bucket.name }, options),
    );
    if (found?.ObjectLockEnabled === "Enabled") return;
  } catch (error) {
    if (error instanceof StorePermissionError) return;
    if (!WITHOUT.has(statusOf(error) ?? 0)) throw error;
  }
  throw new StoreError(`the bucket ${bucket.name} has no object lock`, {
    context: { bucket: bucket.name },
    hint: "A bucket gets it when it is made: name a new one and run `ovault destination init`, or remove `objectLock`.",
  });
}
