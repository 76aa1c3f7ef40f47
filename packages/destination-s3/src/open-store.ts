import type { ObjectStore, PluginHost } from "@ovault/contract";

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
 * Opens an existing bucket and finds out what the service can do.
 * @throws DestinationMissingError when the bucket does not exist; ConfigurationError; StoreError.
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
    const conditionalPut = host.readOnly === true ? false : await tryOut(bucket, { options, writes, signal });
    return new S3Store({ options, bucket, encryption, conditionalPut, writes });
  } catch (error) {
    bucket.close();
    throw error;
  }
}

interface Trial {
  readonly options: S3Options;
  readonly writes: ConditionalWrites;
  readonly signal: AbortSignal;
}

/** The steps that change the bucket: tries conditional puts, and ends uploads that killed processes left. */
async function tryOut(bucket: Bucket, { options, writes, signal }: Trial): Promise<boolean> {
  const { conditionalPut: told = "auto" } = options;
  const [conditionalPut] = await Promise.all([
    told === "auto" ? writes.onPut(signal) : told === "yes",
    endStaleUploads(bucket, signal),
  ]);
  return conditionalPut;
}
