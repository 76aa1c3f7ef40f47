import type { PluginHost } from "@ovault/contract";

import { assertLocks } from "./assert-locks.ts";
import { Bucket } from "./bucket.ts";
import { connect } from "./connect.ts";
import { codeOf } from "./map-s3-error.ts";
import type { S3Options } from "./options.ts";

const THERE_ALREADY = new Set(["BucketAlreadyOwnedByYou", "BucketAlreadyExists"]);

/** Makes the bucket, with object lock if requested. An existing one must be suitable and stays as it is. */
export async function prepareBucket(options: S3Options, host: PluginHost): Promise<void> {
  const { signal } = host;
  const { objectLock } = options;
  const bucket = new Bucket(await connect(options, host), options);
  try {
    await makeBucket(bucket, objectLock !== undefined, signal);
    await bucket.assertThere(signal);
    if (objectLock !== undefined) await assertLocks(bucket, signal);
  } finally {
    bucket.close();
  }
}

async function makeBucket(bucket: Bucket, ObjectLockEnabledForBucket: boolean, signal: AbortSignal): Promise<void> {
  try {
    await bucket.call({ what: "make the bucket", signal }, (client, options) =>
      client.createBucket({ Bucket: bucket.name, ObjectLockEnabledForBucket }, options),
    );
  } catch (error) {
    if (!THERE_ALREADY.has(codeOf(error) ?? "")) throw error;
  }
}
