import type { ObjectStore, PluginHost } from "@ovault/core";

import { assertLocks } from "./assert-locks.ts";
import { Bucket } from "./bucket.ts";
import { ConditionalWrites } from "./conditional-writes.ts";
import { connect } from "./connect.ts";
import { resolveEncryption } from "./encryption.ts";
import type { S3Options } from "./options.ts";
import { S3Store } from "./s3-store.ts";
import { endStaleUploads } from "./stale-uploads.ts";
import { attributesOf } from "./upload.ts";

/**
 * Opens what exists, and finds out what the service can do.
 * @throws DestinationMissingError when there is no such bucket; ConfigurationError; StoreError.
 */
export async function openS3Store(options: S3Options, host: PluginHost): Promise<ObjectStore> {
  const { signal } = host;
  const encryption = await resolveEncryption(options.serverSideEncryption, host);
  const bucket = new Bucket(await connect(options, host), options);
  const probe = attributesOf(options, encryption, { bytes: 0, retainUntil: undefined });
  const writes = new ConditionalWrites(bucket, probe);
  try {
    await bucket.assertThere(signal);
    if (options.objectLock !== undefined) await assertLocks(bucket, signal);
    const [conditionalPut] = await Promise.all([
      known(options.conditionalPut) ?? writes.onPut(signal),
      endStaleUploads(bucket, signal),
    ]);
    return new S3Store({ options, bucket, encryption, conditionalPut, writes });
  } catch (error) {
    bucket.close();
    throw error;
  }
}

function known(told: S3Options["conditionalPut"]): boolean | undefined {
  return told === undefined || told === "auto" ? undefined : told === "yes";
}
